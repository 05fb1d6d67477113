"""Q3_K: super-blocks of 256 codes of 3 bits, a scale of 6 bits for each 16.

With s and o an activation's scale and zero correction for 16 columns, and z the dot product of their codes:

    y = sum over groups of 16 of d (scale - 32) (s z + o)
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.encoders.bit_fields import store_bits, store_pairs
from fourcc.kernels.encoders.lanes import SPARE, STAGED, TRIED, ZERO, X, block_encoder, nearest, order_codes
from fourcc.kernels.encoders.scale_search import first_largest_of, multiples_of_one, refined_search
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import ONES, PACKED_WORD, TWOS, Block
from fourcc.kernels.products.scales_per_16 import GROUPS_OF_16
from fourcc.kernels.products.signatures import FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
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
from fourcc.kernels.simd.memory import VECTOR, load_byte, load_floats, load_ints, store, store_byte
from fourcc.kernels.simd.select import both, either, shifted_left, where_equal
from fourcc.kernels.simd.store_narrow import store_low_bytes

SCALE_ZERO = 32  # the code of scale 0
LOW, HIGH = np.float32(-4), np.float32(3)  # codes without their zero point
SCALE_LOW, SCALE_HIGH = np.float32(-SCALE_ZERO), np.float32(SCALE_ZERO - 1)
_search = refined_search(16, 4)


def _place(word: int) -> int:
    """Scales come first; then the third bits, then the others."""
    return word - 24 if word >= 24 else word + 3


def _write_scales(p: int, scales: int, offsets: int) -> None:
    """Eight low nibbles and eight high ones are the low four bits of the scales; four bytes have the upper two."""
    d, four, two, zero = low_float16s(load_ints(p)), ints_of(15), ints_of(3), ints_of(SCALE_ZERO)
    even, odd, more = load_ints(p + PACKED_WORD), load_ints(p + 2 * PACKED_WORD), load_ints(p + 3 * PACKED_WORD)
    for pair in range(2):
        for byte in range(4):
            shift, at = 8 * byte + 4 * pair, scales + PACKED_WORD * (8 * pair + byte)
            upper = shifted_left(both(shifted_right(more, shift), two), 4)
            scale = subtract(either(both(shifted_right(even, shift), four), upper), zero)
            store(at, multiply(d, floats_from_ints(scale)))
            upper = shifted_left(both(shifted_right(more, shift + 2), two), 4)
            scale = subtract(either(both(shifted_right(odd, shift), four), upper), zero)
            store(at + 4 * PACKED_WORD, multiply(d, floats_from_ints(scale)))


def _joined(twos: Lanes, third: Lanes) -> Lanes:
    """Codes of the lowest two bits of `twos`, with the lowest bit of `third` above them."""
    codes: Lanes = either(both(twos, ints_of(TWOS)), shifted_left(both(third, ints_of(ONES)), 2))
    return codes


def _codes(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
    def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
        """A half has 32 bytes, two bits of each for 32 columns; 32 more bytes have all third bits, one for 32."""
        for each in range(4):
            half, side = each >> 1, each & 1
            first, second, third, fourth = no_dots(), no_dots(), no_dots(), no_dots()
            for four in range(4):
                q, column = load_ints(p + PACKED_WORD * (12 + 4 * each + four)), 128 * half + 16 * side + 4 * four
                high = shifted_right(load_ints(p + PACKED_WORD * (4 + 4 * side + four)), 4 * half)
                first = put(first, _joined(q, high), place, column)
                second = put(second, _joined(shifted_right(q, 2), shifted_right(high, 1)), place, column + 32)
                third = put(third, _joined(shifted_right(q, 4), shifted_right(high, 2)), place, column + 64)
                fourth = put(fourth, _joined(shifted_right(q, 6), shifted_right(high, 3)), place, column + 96)
            scale = 8 * half + side
            total = finish(total, first, scale, where)
            total = finish(total, second, scale + 2, where)
            total = finish(total, third, scale + 4, where)
            total = finish(total, fourth, scale + 6, where)
        return total

    return codes


def _encode_block(p: int, scratch: int) -> None:
    """Encodes a block as `formats.q3_k` does."""
    scale = _search(scratch)
    store(scratch + SPARE, scale)
    peak = first_largest_of(scratch + SPARE, 0, 16)
    scales = multiples_of_one(scale, peak, SCALE_LOW, SCALE_HIGH, p + 108)
    if np.isinf(divide(SCALE_LOW, peak)) or np.isinf(peak):  # the float16 scale is 0
        scales = floats_of(SCALE_LOW)
    stored = multiply(floats_of(load_float16(p + 108)), scales)
    store_low_bytes(scratch + SPARE, ints_from_floats(subtract(scales, floats_of(SCALE_LOW))))
    _store_scales(p + 96, scratch + SPARE)
    for at in range(0, 16 * VECTOR, VECTOR):
        searched = load_floats(scratch + TRIED + at)
        best = nearest(divide(load_floats(scratch + X + at), stored), LOW, HIGH)
        codes = where_equal(stored, floats_of(ZERO), searched, best)
        store(scratch + TRIED + at, subtract(codes, floats_of(LOW)))
    order_codes(16, scratch)
    store_bits(p, scratch + STAGED, 2)
    store_pairs(p + 32, scratch + STAGED, 0)


def _store_scales(p: int, scales: int) -> None:
    """Packs sixteen scales of six bits, a byte each, into twelve bytes: four bits of each, then the upper two."""
    for j in range(8):
        store_byte(p + j, load_byte(scales + j) & 15 | (load_byte(scales + j + 8) & 15) << 4)
    for j in range(4):
        low = load_byte(scales + j) >> 4 | load_byte(scales + j + 4) >> 4 << 2
        store_byte(p + 8 + j, low | load_byte(scales + j + 8) >> 4 << 4 | load_byte(scales + j + 12) >> 4 << 6)


KERNEL = packed_kernel(
    Block(256, 110, _write_scales, _codes, half=108, place=_place, zero=4, group=GROUPS_OF_16),
    encoder=block_encoder(110, _encode_block),
)
