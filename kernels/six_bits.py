"""Eight scales and eight minima of six bits in twelve bytes, as Q4_K and Q5_K have them behind their two float16."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.interleaved import WORD
from fourcc.kernels.simd.arithmetic import floats_from_ints, floats_of, ints_of, multiply, shifted_right
from fourcc.kernels.simd.choosing import both, either
from fourcc.kernels.simd.memory import load_ints, store
from fourcc.kernels.simd.words import high_float16s, low_float16s

MINUS_ONE = np.float32(-1)


def expand_scales(p: int, scales: int, means: int) -> None:
    """Scales and means of sixteen packed blocks; the last four of either have their bits in two places."""
    d = low_float16s(load_ints(p))
    dmin = multiply(high_float16s(load_ints(p)), floats_of(MINUS_ONE))
    low, high, rest = load_ints(p + WORD), load_ints(p + 2 * WORD), load_ints(p + 3 * WORD)
    six, four, two = ints_of(63), ints_of(15), ints_of(48)
    for j in range(4):
        scale, minimum = shifted_right(low, 8 * j), shifted_right(high, 8 * j)
        later = either(both(shifted_right(rest, 8 * j), four), both(shifted_right(scale, 2), two))
        below = either(both(shifted_right(rest, 8 * j + 4), four), both(shifted_right(minimum, 2), two))
        store(scales + WORD * j, multiply(d, floats_from_ints(both(scale, six))))
        store(scales + WORD * (j + 4), multiply(d, floats_from_ints(later)))
        store(means + WORD * j, multiply(dmin, floats_from_ints(both(minimum, six))))
        store(means + WORD * (j + 4), multiply(dmin, floats_from_ints(below)))
