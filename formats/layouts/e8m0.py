"""E8M0, the 8-bit exponents of scales that are powers of two: 2^(e - 127); 255 is NaN. There is no sign and no 0."""

import numpy as np

from fourcc import Floats

BIAS = 127


def _table() -> Floats:
    """The number of each byte, float32 (256,); the first is denormal."""
    powers: Floats = np.ldexp(np.float32(1), np.arange(256) - BIAS, dtype=np.float32)
    powers[255] = np.nan
    return powers


with np.errstate(over="ignore"):  # of the byte that is NaN
    TABLE = _table()
