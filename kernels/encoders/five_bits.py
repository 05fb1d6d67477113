"""Codes of five bits in blocks of 32, as Q5_0 and Q5_1 have them: a word of fifth bits, then 16 bytes of nibbles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.products.packed_layout import NIBBLES, ONES, PACKED_WORD
from fourcc.kernels.simd.arithmetic import ints_of, multiply, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both, either, shifted_left

Function = Callable[..., Any]
SPREAD = 0x00204081  # times four bits: bit 0 at 0, bit 1 at 8, bit 2 at 16, bit 3 at 24, and others between


def _fifth(bits: Lanes) -> Lanes:
    """The lowest four bits of each word as the fifth of four codes."""
    apart = both(multiply(both(bits, ints_of(15)), ints_of(SPREAD)), ints_of(ONES))
    made: Lanes = shifted_left(apart, 4)
    return made


def five_bits(first: int) -> Function:
    """The codes of a block, as `interleaved.Block` wants them.

    Args:
        first: number of the word of fifth bits.
    """

    def given(put: Function, finish: Function, no_dots: Function) -> Function:
        def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
            """Low nibbles are 16 columns, high ones the next 16; bit i of the word belongs to column i."""
            mask, dots, bits = ints_of(NIBBLES), no_dots(), load_ints(p + PACKED_WORD * first)
            for four in range(4):
                pairs = load_ints(p + PACKED_WORD * (first + 1 + four))
                low, high = both(pairs, mask), both(shifted_right(pairs, 4), mask)
                dots = put(dots, either(low, _fifth(shifted_right(bits, 4 * four))), place, 4 * four)
                dots = put(dots, either(high, _fifth(shifted_right(bits, 4 * four + 16))), place, 4 * four + 16)
            made: Lanes = finish(total, dots, 0, numbers)
            return made

        return codes

    return given
