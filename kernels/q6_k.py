"""Q6_K: superblocks of 256 codes of 6 bits, a scale of 8 bits for each 16.

With s and o an activation's step and offset for 16 columns, and z the dot product of their codes:

    y = sum over sixteens of d scale (s z + o)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.interleaved import NIBBLES, WORD, Block, interleaved, no_dots
from fourcc.kernels.simd.arithmetic import add, floats_from_ints, ints_of, multiply, shifted_right, subtract
from fourcc.kernels.simd.choosing import both, either, shifted_left
from fourcc.kernels.simd.memory import load_ints, store
from fourcc.kernels.simd.twins import Lanes
from fourcc.kernels.simd.words import low_float16s
from fourcc.kernels.sixteens import SIXTEEN

Function = Callable[..., Any]
UPPER = 0x30303030  # bits 4 and 5 of four bytes


def _place(word: int) -> int:
    """Scales first; then, for each half, words of low nibbles, high nibbles and two bits more in turn."""
    if word >= 48:
        place = word - 48
    elif word >= 32:
        place = 4 + 24 * ((word >> 3) - 4) + 3 * (word & 7) + 2
    else:
        place = 4 + 24 * (word >> 4) + 3 * (word & 7) + (word >> 3 & 1)
    return place


def _numbers(p: int, scales: int, means: int) -> None:  # noqa: ARG001 - there are none
    d, sign, mask = low_float16s(load_ints(p)), ints_of(128), ints_of(255)
    for four in range(4):
        words = load_ints(p + WORD + WORD * four)
        for byte in range(4):
            scale = subtract(both(add(shifted_right(words, 8 * byte), sign), mask), sign)
            store(scales + WORD * (4 * four + byte), multiply(d, floats_from_ints(scale)))


def _codes(put: Function, finish: Function) -> Function:
    def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
        """In each half 32 columns from low nibbles, 32 from others, the next 64 from the high ones of both."""
        mask, two = ints_of(NIBBLES), ints_of(UPPER)
        for each in range(4):
            half, side = each >> 1, each & 1
            first, second, third, fourth = no_dots(), no_dots(), no_dots(), no_dots()
            for four in range(4):
                at, column = p + WORD * (5 + 12 * each + 3 * four), 128 * half + 16 * side + 4 * four
                low, high, more = load_ints(at), load_ints(at + WORD), load_ints(at + 2 * WORD)
                first = put(first, either(both(low, mask), both(shifted_left(more, 4), two)), place, column)
                second = put(second, either(both(high, mask), both(shifted_left(more, 2), two)), place, column + 32)
                low, high = both(shifted_right(low, 4), mask), both(shifted_right(high, 4), mask)
                third = put(third, either(low, both(more, two)), place, column + 64)
                fourth = put(fourth, either(high, both(shifted_right(more, 2), two)), place, column + 96)
            scale = 8 * half + side
            total = finish(total, first, scale, numbers)
            total = finish(total, second, scale + 2, numbers)
            total = finish(total, third, scale + 4, numbers)
            total = finish(total, fourth, scale + 6, numbers)
        return total

    return codes


KERNEL = interleaved(Block(256, 210, _numbers, _codes, half=208, place=_place, zero=32, reach=SIXTEEN))
