"""The sixteen levels of IQ4_NL and IQ4_XS, whole numbers of eight bits; the search for scales of them.

The search is that of `fourcc.formats.levels`, one of sixteen groups a lane.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fourcc.kernels.groups import INFINITY, NO_TERM, NOTHING, ONE, VECTOR, ZERO, X
from fourcc.kernels.scale_search import first_largest, quotient
from fourcc.kernels.simd.arithmetic import absolute, add, divide, floats_of, multiply
from fourcc.kernels.simd.choosing import stairs, where_less
from fourcc.kernels.simd.memory import load_floats
from fourcc.kernels.simd.twins import Lanes
from fourcc.kernels.simd.words import byte_table

LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
BORDERS = tuple((low + high) / 2 for low, high in pairwise(LEVELS))
levels_of = byte_table(LEVELS)
nearest_level = stairs(BORDERS, tuple(map(float, LEVELS)))
nearest_code = stairs(BORDERS, tuple(map(float, range(16))))
TOP = np.float32(127)
TRIES = 7  # to either side


def level_scale(scratch: int) -> Lanes:
    """The scales of sixteen groups of 32 weights at X, errors weighted by their squares."""
    peak, zero, nothing = first_largest(32 * VECTOR, scratch), floats_of(ZERO), floats_of(NOTHING)
    extent = where_less(absolute(peak), nothing, floats_of(ONE), peak)
    above, below = _attempt(divide(floats_of(ONE), divide(extent, floats_of(TOP))), scratch)
    scale = quotient(above, below)
    best = multiply(scale, above)
    for number in range(-TRIES, TRIES + 1):
        above, below = _attempt(divide(floats_of(np.float32(number) - TOP), extent), scratch)
        limit, reached = multiply(best, below), multiply(above, above)
        limit = where_less(zero, below, limit, floats_of(INFINITY))  # never exceeded
        new_scale = quotient(above, below)
        scale = where_less(limit, reached, new_scale, scale)
        best = where_less(limit, reached, multiply(new_scale, above), best)
    made: Lanes = where_less(absolute(peak), nothing, zero, scale)
    return made


def _attempt(inverse: Lanes, scratch: int) -> tuple[Lanes, Lanes]:
    """The sums of w v x and of w v v over the levels v that an inverse scale makes."""
    above, below = floats_of(NO_TERM), floats_of(NO_TERM)
    for at in range(0, 32 * VECTOR, VECTOR):
        x = load_floats(scratch + X + at)
        level = nearest_level(multiply(inverse, x))
        weighted = multiply(multiply(x, x), level)
        above, below = add(above, multiply(weighted, x)), add(below, multiply(weighted, level))
    return above, below
