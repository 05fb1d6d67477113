"""The levels of 4-bit floats: a sign, two bits of exponent, one of mantissa; and the choice of the nearest one."""

from itertools import pairwise

import numpy as np

from fourcc import Array, Floats

MAGNITUDES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
LARGEST = np.float32(6)
SIGN = 8  # the bit of a code
LEVELS = np.concatenate([MAGNITUDES, -MAGNITUDES])  # code 8 is -0
BORDERS = [np.float32((low + high) / 2) for low, high in pairwise(MAGNITUDES)]


def nearest_even(shares: Floats) -> Array:
    """The codes of the nearest levels, uint8 of the same shape; ties go to even codes, -0 becomes 0."""
    magnitude = np.abs(shares)
    codes = np.zeros(shares.shape, np.uint8)
    for upper, border in enumerate(BORDERS, start=1):
        codes += magnitude > border if upper % 2 else magnitude >= border
    codes[shares < 0] += SIGN
    return codes
