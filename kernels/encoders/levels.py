"""Codes of IQ4_NL and IQ4_XS, which select one of sixteen levels (whole numbers of eight bits); their scale search.

The search is that of `fourcc.formats.searches.levels`, for sixteen groups, one a lane.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fourcc.kernels.encoders.lanes import INFINITY, NO_TERM, NOTHING, ONE, ZERO, X
from fourcc.kernels.encoders.scale_search import first_largest, quotient
from fourcc.kernels.products.packed_layout import NIBBLES, PACKED_WORD
from fourcc.kernels.products.signatures import BlockCodes, FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import absolute, add, divide, floats_of, ints_of, multiply, shifted_right
from fourcc.kernels.simd.int32 import byte_table
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_floats, load_ints
from fourcc.kernels.simd.operation import Operation
from fourcc.kernels.simd.select import both, stairs, where_less

LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
BORDERS = tuple((low + high) / 2 for low, high in pairwise(LEVELS))
levels_of = byte_table(LEVELS)
nearest_level = stairs(BORDERS, tuple(map(float, LEVELS)))
nearest_code = stairs(BORDERS, tuple(map(float, range(16))))
TOP = np.float32(127)
TRIES = 7  # on either side of the first


def level_codes(levels: Operation, scales: int = 1, begin: int = 0) -> BlockCodes:
    """The codes of a block with levels; 16 bytes hold 16 columns in the low nibbles, the next 16 in the high ones.

    Args:
        levels: (codes) -> levels as bytes, made by `byte_table`.
        scales: number of the block's scales, one for 32 columns.
        begin: number of the first word of codes.

    Returns:
        A value for `packed_layout.Block.codes`.
    """

    def build(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
        def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
            mask = ints_of(NIBBLES)
            for scale in range(scales):
                dots = no_dots()
                for four in range(4):
                    pairs, column = load_ints(p + PACKED_WORD * (begin + 4 * scale + four)), 32 * scale + 4 * four
                    dots = put(dots, levels(both(pairs, mask)), place, column)
                    dots = put(dots, levels(both(shifted_right(pairs, 4), mask)), place, column + 16)
                total = finish(total, dots, scale, where)
            return total

        return codes

    return build


def level_scale(scratch: int) -> Lanes:
    """The scales of the sixteen groups of 32 weights at X; an error is weighted by the square of its weight."""
    peak, zero, nothing = first_largest(32 * VECTOR, scratch), floats_of(ZERO), floats_of(NOTHING)
    extent = where_less(absolute(peak), nothing, floats_of(ONE), peak)
    above, below = _attempt(divide(floats_of(ONE), divide(extent, floats_of(TOP))), scratch)
    scale = quotient(above, below)
    best = multiply(scale, above)
    for number in range(-TRIES, TRIES + 1):
        above, below = _attempt(divide(floats_of(np.float32(number) - TOP), extent), scratch)
        limit, reached = multiply(best, below), multiply(above, above)
        limit = where_less(zero, below, limit, floats_of(INFINITY))  # else no scale: a limit that nothing exceeds
        new_scale = quotient(above, below)
        scale = where_less(limit, reached, new_scale, scale)
        best = where_less(limit, reached, multiply(new_scale, above), best)
    scales: Lanes = where_less(absolute(peak), nothing, zero, scale)
    return scales


def _attempt(inverse: Lanes, scratch: int) -> tuple[Lanes, Lanes]:
    """The sums of w v x and of w v v over the levels v that an inverse scale selects; w = x x."""
    above, below = floats_of(NO_TERM), floats_of(NO_TERM)
    for at in range(0, 32 * VECTOR, VECTOR):
        x = load_floats(scratch + X + at)
        level = nearest_level(multiply(inverse, x))
        weighted = multiply(multiply(x, x), level)
        above, below = add(above, multiply(weighted, x)), add(below, multiply(weighted, level))
    return above, below
