"""IQ4_XS: superblocks of 256 codes of 4 bits that name levels, a scale of 6 bits for each 32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.interleaved import interleaved
from fourcc.kernels.interleaving import NIBBLES, WORD, Block
from fourcc.kernels.levels import levels_of
from fourcc.kernels.simd.arithmetic import floats_from_ints, ints_of, multiply, shifted_right, subtract
from fourcc.kernels.simd.choosing import both, either, shifted_left
from fourcc.kernels.simd.memory import load_ints, store
from fourcc.kernels.simd.twins import Lanes
from fourcc.kernels.simd.words import low_float16s

Function = Callable[..., Any]
SCALE_ZERO = 32  # the code of scale 0


def _numbers(p: int, scales: int, means: int) -> None:  # noqa: ARG001 - there are none
    """Two upper bits of eight scales beside the float16, four lower ones in the next word."""
    d, lower, upper = low_float16s(load_ints(p)), load_ints(p + WORD), shifted_right(load_ints(p), 16)
    four, two, zero = ints_of(15), ints_of(3), ints_of(SCALE_ZERO)
    for each in range(8):
        more = shifted_left(both(shifted_right(upper, 2 * each), two), 4)
        scale = subtract(either(both(shifted_right(lower, 4 * each), four), more), zero)
        store(scales + WORD * each, multiply(d, floats_from_ints(scale)))


def _codes(put: Function, finish: Function, no_dots: Function) -> Function:
    def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
        """Eight times 16 bytes: low nibbles are 16 columns, high ones the next 16."""
        mask = ints_of(NIBBLES)
        for each in range(8):
            dots = no_dots()
            for four in range(4):
                pairs, column = load_ints(p + WORD * (2 + 4 * each + four)), 32 * each + 4 * four
                dots = put(dots, levels_of(both(pairs, mask)), place, column)
                dots = put(dots, levels_of(both(shifted_right(pairs, 4), mask)), place, column + 16)
            total = finish(total, dots, each, numbers)
        return total

    return codes


KERNEL = interleaved(Block(256, 136, _numbers, _codes))
