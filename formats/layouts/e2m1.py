"""The levels of 4-bit floats: a sign, two bits of exponent, one of mantissa; and the choice of the nearest one."""

import numpy as np

from fourcc import Array, Floats

MAGNITUDES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
LARGEST = np.float32(6)
SIGN = 8  # the bit of a code
LEVELS = np.concatenate([MAGNITUDES, -MAGNITUDES])  # code 8 is -0
# Half-way between two levels, and whether what lies there takes the upper one: that with an even code.
BORDERS = tuple(
    (np.float32((low + high) / 2), upper % 2 == 0)
    for upper, (low, high) in enumerate(zip(MAGNITUDES, MAGNITUDES[1:], strict=False), start=1)
)


def nearest_even(shares: Floats) -> Array:
    """The codes of the nearest levels, uint8 of the same shape; ties go to even codes, and every sign is kept."""
    magnitude = np.abs(shares)
    codes = np.zeros(shares.shape, np.uint8)
    for border, up in BORDERS:
        codes += magnitude >= border if up else magnitude > border
    codes[np.signbit(shares)] += SIGN
    return codes
