"""Q3_K: superblocks of 256 codes of 3 bits, a scale of 6 bits for each 16.

With s and o an activation's step and offset for 16 columns, and z the dot product of their codes:

    y = sum over sixteens of d (scale - 32) (s z + o)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fourcc.kernels.encoders.bit_fields import store_bits, store_pairs
from fourcc.kernels.encoders.lanes import SPARE, STAGED, TRIED, VECTOR, ZERO, X, block_encoder, nearest, order_codes
from fourcc.kernels.encoders.scale_search import first_largest_of, multiples_of_one, refined_search
from fourcc.kernels.products.packed_gemm import interleaved
from fourcc.kernels.products.packed_layout import ONES, TWOS, WORD, Block
from fourcc.kernels.products.scales_per_16 import SIXTEEN
from fourcc.kernels.simd.arithmetic import (
    divide,
    floats_from_ints,
    floats_of,
    ints_from_floats,
    ints_of,
    multiply,
    shifted_right,
    subtract,
)
from fourcc.kernels.simd.int32 import low_float16s
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float16
from fourcc.kernels.simd.memory import load_byte, load_floats, load_ints, store, store_byte
from fourcc.kernels.simd.select import both, either, shifted_left, where_equal
from fourcc.kernels.simd.store_narrow import store_low_bytes

Function = Callable[..., Any]
SCALE_ZERO = 32  # the code of scale 0
LOW, HIGH = np.float32(-4), np.float32(3)  # codes without their zero point
SCALE_LOW, SCALE_HIGH = np.float32(-SCALE_ZERO), np.float32(SCALE_ZERO - 1)
_search = refined_search(16, 4)


def _place(word: int) -> int:
    """Scales first; then the third bits, then the others."""
    return word - 24 if word >= 24 else word + 3


def _numbers(p: int, scales: int, means: int) -> None:  # noqa: ARG001 - there are none
    """Low four bits of eight scales in low nibbles, of eight in high ones; two bits more of each in four bytes."""
    d, four, two, zero = low_float16s(load_ints(p)), ints_of(15), ints_of(3), ints_of(SCALE_ZERO)
    even, odd, more = load_ints(p + WORD), load_ints(p + 2 * WORD), load_ints(p + 3 * WORD)
    for pair in range(2):
        for byte in range(4):
            shift, at = 8 * byte + 4 * pair, scales + WORD * (8 * pair + byte)
            upper = shifted_left(both(shifted_right(more, shift), two), 4)
            scale = subtract(either(both(shifted_right(even, shift), four), upper), zero)
            store(at, multiply(d, floats_from_ints(scale)))
            upper = shifted_left(both(shifted_right(more, shift + 2), two), 4)
            scale = subtract(either(both(shifted_right(odd, shift), four), upper), zero)
            store(at + 4 * WORD, multiply(d, floats_from_ints(scale)))


def _joined(twos: Lanes, third: Lanes) -> Lanes:
    """Two bits, and the lowest one of `third` above them."""
    made: Lanes = either(both(twos, ints_of(TWOS)), shifted_left(both(third, ints_of(ONES)), 2))
    return made


def _codes(put: Function, finish: Function, no_dots: Function) -> Function:
    def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
        """In each half 32 bytes, two bits for 32 columns after two; the third bits of all eight times 32 in 32 more."""
        for each in range(4):
            half, side = each >> 1, each & 1
            first, second, third, fourth = no_dots(), no_dots(), no_dots(), no_dots()
            for four in range(4):
                q, column = load_ints(p + WORD * (12 + 4 * each + four)), 128 * half + 16 * side + 4 * four
                high = shifted_right(load_ints(p + WORD * (4 + 4 * side + four)), 4 * half)
                first = put(first, _joined(q, high), place, column)
                second = put(second, _joined(shifted_right(q, 2), shifted_right(high, 1)), place, column + 32)
                third = put(third, _joined(shifted_right(q, 4), shifted_right(high, 2)), place, column + 64)
                fourth = put(fourth, _joined(shifted_right(q, 6), shifted_right(high, 3)), place, column + 96)
            scale = 8 * half + side
            total = finish(total, first, scale, numbers)
            total = finish(total, second, scale + 2, numbers)
            total = finish(total, third, scale + 4, numbers)
            total = finish(total, fourth, scale + 6, numbers)
        return total

    return codes


def _encode_block(p: int, scratch: int) -> None:
    """As `formats.q3_k` does it."""
    scale = _search(scratch)
    store(scratch + SPARE, scale)
    peak = first_largest_of(scratch + SPARE, 0, 16)
    scales = multiples_of_one(scale, peak, SCALE_LOW, SCALE_HIGH, p + 108)
    if np.isinf(divide(SCALE_LOW, peak)) or np.isinf(peak):  # the one is 0
        scales = floats_of(SCALE_LOW)
    step = multiply(floats_of(load_float16(p + 108)), scales)
    store_low_bytes(scratch + SPARE, ints_from_floats(subtract(scales, floats_of(SCALE_LOW))))
    _store_scales(p + 96, scratch + SPARE)
    for at in range(0, 16 * VECTOR, VECTOR):
        found = load_floats(scratch + TRIED + at)
        best = nearest(divide(load_floats(scratch + X + at), step), LOW, HIGH)
        codes = where_equal(step, floats_of(ZERO), found, best)
        store(scratch + TRIED + at, subtract(codes, floats_of(LOW)))
    order_codes(16, scratch)
    store_bits(p, scratch + STAGED, 2)
    store_pairs(p + 32, scratch + STAGED, 0)


def _store_scales(p: int, scales: int) -> None:
    """Sixteen scales of six bits, a byte each, in twelve bytes: low nibbles, then two bits more."""
    for j in range(8):
        store_byte(p + j, load_byte(scales + j) & 15 | (load_byte(scales + j + 8) & 15) << 4)
    for j in range(4):
        low = load_byte(scales + j) >> 4 | load_byte(scales + j + 4) >> 4 << 2
        store_byte(p + 8 + j, low | load_byte(scales + j + 8) >> 4 << 4 | load_byte(scales + j + 12) >> 4 << 6)


KERNEL = interleaved(
    Block(256, 110, _numbers, _codes, half=108, place=_place, zero=4, reach=SIXTEEN),
    encoder=block_encoder(110, _encode_block),
)
