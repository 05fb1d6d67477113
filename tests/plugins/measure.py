"""Bits per weight and SQNR of the plugins beside fourcc's own formats: ``python -m tests.plugins.measure``.

Independent weights, 256 x 4096 of each distribution, seed 1; 10 log10(sum w^2 / sum (w - v)^2). The gap is what a code
at the rate-distortion bound of normal weights, 6.02 dB a bit, would be ahead.
"""

import importlib
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fourcc.encoding import encode
from fourcc.format import Array, Format
from fourcc.metrics import ErrorSums
from fourcc.registry import registry

SHAPE = (256, 4096)
HERE = Path(__file__).resolve().parent
PLUGINS = {"fourcc-nf": "fourcc_nf:NF64", "fourcc-lc": "fourcc_lc:LC16", "fourcc-tcq": "fourcc_tcq:TCQ"}
MEASURED: list[tuple[str, dict[str, object]]] = [
    ("Q8_0", {}),
    ("Q4_0", {}),
    ("Q4_A", {}),
    ("Nf64", {}),
    ("Lc16", {}),
    *[("Tcq", {"bits": bits, "block": block}) for bits in (4, 3, 2) for block in (256, 1024)],
]
DB_A_BIT = 20 * math.log10(2)


def plugins() -> Iterator[Format]:
    """The formats of the packages beside this file, which need not be installed."""
    for folder, place in PLUGINS.items():
        sys.path.insert(0, str(HERE / folder))
        module, _, name = place.partition(":")
        found: Format = getattr(importlib.import_module(module), name)
        yield found


def drawn() -> dict[str, Array]:
    """Weights of three distributions, float32."""
    random = np.random.default_rng(1)
    draws = {
        "Gauss": random.standard_normal(SHAPE),
        "Laplace": random.laplace(size=SHAPE),
        "t5": random.standard_t(5, SHAPE),
    }
    return {name: w.astype(np.float32) for name, w in draws.items()}


def measured(w: Array, tag: str, params: dict[str, Any]) -> tuple[Fraction, float]:
    """Bits per weight that are really spent, and SQNR in dB."""
    matrix = encode(w, tag, params=params)
    return matrix.bits_per_weight, ErrorSums.of(w, matrix.decode()).sqnr_db


def main() -> None:
    """Writes a table to stdout."""
    weights = drawn()
    lines = [f"| format | bits | {' | '.join(weights)} | gap, Gauss |", "|---|" + "--:|" * (len(weights) + 2)]
    with ExitStack() as stack:
        for each in plugins():
            stack.enter_context(registry.trying(each))
        for tag, params in MEASURED:
            found = [measured(w, tag, params) for w in weights.values()]
            bits, first = float(found[0][0]), found[0][1]
            name = " ".join([f"`{tag}`", *(f"{key} {value}" for key, value in params.items())])
            values = " | ".join(f"{value:.2f}" for _, value in found)
            lines.append(f"| {name} | {bits:.4g} | {values} | {DB_A_BIT * bits - first:.2f} |")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
