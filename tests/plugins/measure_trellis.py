"""The size and quality of the trellis codes beside built-in formats: ``python -m tests.plugins.measure [--write]``.

SQNR of independent weights, normal ones and Student's t with 5 degrees of freedom. The gap is the lead of a code at the
rate-distortion bound of normal weights, 6.02 dB a bit. ``--write`` puts the table into the page.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fourcc import Format, compute, encode, registry
from fourcc.metrics import ErrorSums
from tests.markdown import filled

PACKAGE = Path(__file__).resolve().parent / "fourcc-tcq"
PAGE = PACKAGE / "tcq.md"
BLOCKS = (256, 1024)
BUILT_IN = ("Q4_Z", "IQ4X", "MXF4", "Q4_M", "Q3_K", "Q2_K")
SHAPE = (128, 4096)
DB_A_BIT = 20 * math.log10(2)
HEAD = "| format | bits | SQNR, normal | Student's t | gap, normal | products |\n|---|--:|--:|--:|--:|---|"


def table() -> Iterator[str]:
    """The Markdown table, line by line: the trellis codes, then the others."""
    sys.path.insert(0, str(PACKAGE))
    from fourcc_tcq import TCQ2, TCQ3, TCQ4

    yield HEAD
    for fmt in (TCQ4, TCQ3, TCQ2):
        with registry.trying(fmt):
            yield from (line(fmt, {"block": block}) for block in BLOCKS)
    yield from (line(registry[tag], {}) for tag in BUILT_IN)


def line(fmt: Format, params: Mapping[str, object]) -> str:
    """The row of a format with some parameters."""
    random = np.random.default_rng(4)
    bits = float(fmt.bits_per_weight(params or None))
    found = [sqnr(fmt, params, w) for w in (random.standard_normal(SHAPE), random.standard_t(5, SHAPE))]
    name = " ".join([f"`{fmt.tag}`", *(f"{key} {value}" for key, value in params.items())])
    numbers = (f"{number:.2f}" for number in (*found, DB_A_BIT * bits - found[0]))
    return f"| {' | '.join([name, f'{bits:.4g}', *numbers, compute.kernel_of(fmt, params).level])} |"


def sqnr(fmt: Format, params: Mapping[str, object], w: np.ndarray) -> float:
    """Decibels between weights and their error."""
    weights = w.astype(np.float32)
    return ErrorSums.of(weights, encode(weights, fmt.tag, params).decode()).sqnr_db


def main() -> None:
    """Prints the table, or writes it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into the page")
    chosen = parser.parse_args()
    text = "\n".join(table())
    if chosen.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), "measures", text), encoding="utf-8")
    else:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
