"""The measured SQNR that the pages quote: ``python -m tests.formats.measure_sqnr``.

One matrix of 128 x 2048 independent weights a distribution, seed 1; 10 log10(sum w^2 / sum (w - v)^2).
"""

import sys

import numpy as np

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.metrics import ErrorSums

SHAPE = (128, 2048)
ENCODERS: list[tuple[str, dict[str, object]]] = [
    ("BF16", {}),
    ("F16", {}),
    ("Q8_A", {}),
    ("Q8_B", {}),
    ("Q8_0", {}),
    ("Q8_G", {}),
    ("F8_G", {}),
    ("Q8_T", {}),
    ("Q8_M", {}),
    ("Q8_Z", {}),
    ("Q4_M", {}),
    ("Q4_Z", {}),
    ("Q4_A", {"method": "equal-count"}),
    ("Q4_A", {"method": "kmeans"}),
    ("Q4_0", {}),
    ("NVF4", {}),
    ("NV4T", {}),
    ("Q1_0", {}),
    ("Q2_0", {}),
    ("TQ1", {}),
    ("TQ2", {}),
    ("TC2", {}),
    ("TC3", {}),
    ("TC4", {}),
]


def drawn() -> dict[str, Array]:
    """Weights of three distributions, float32."""
    random = np.random.default_rng(1)
    draws = {
        "Gauss": random.standard_normal(SHAPE),
        "Laplace": random.laplace(size=SHAPE),
        "t5": random.standard_t(5, SHAPE),
    }
    return {name: w.astype(np.float32) for name, w in draws.items()}


def sqnr(w: Array, tag: str, options: dict[str, object]) -> float:
    """SQNR in dB."""
    return ErrorSums.of(w, encode(w, tag, options=options).decode()).sqnr_db


def main() -> None:
    """Writes a table to stdout."""
    weights = drawn()
    lines = [f"| format | {' | '.join(weights)} |", "|---|" + "--:|" * len(weights)]
    for tag, options in ENCODERS:
        name = " ".join([tag, *map(str, options.values())])
        lines.append(f"| {name} | {' | '.join(f'{sqnr(w, tag, options):.2f}' for w in weights.values())} |")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
