"""Rng1, the first rung: numpy alone. Correct, and fast enough to convert, to measure, and to run small models."""

import numpy as np

from fourcc import Floats, Format, Geometry, Parts
from fourcc_rungs.layout import LAYOUT


@np.errstate(over="ignore", invalid="ignore")  # a damaged file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (rows,) and codes (rows, cols) -> float32 (rows, cols)."""
    w: Floats = parts["scale"][:, None] * parts["codes"].astype(np.float32)
    return w


RNG1 = Format(tag="Rng1", decode=decode, **LAYOUT)
