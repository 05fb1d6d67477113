"""Q6_K: super-blocks of 256 codes of 6 bits, a scale of 8 bits for each 16.

With s and o an activation's scale and zero correction for 16 columns, and z the dot product of their codes:

    y = sum over groups of 16 of d scale (s z + o)
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.encoders.bit_fields import store_nibbles, store_pairs
from fourcc.kernels.encoders.lanes import (
    IMPORTANCE,
    NOTHING,
    SPARE,
    STAGED,
    TRIED,
    ZERO,
    X,
    block_encoder,
    nearest,
    order_codes,
)
from fourcc.kernels.encoders.scale_search import first_largest_of, multiples_of_one, signed_search
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import NIBBLES, PACKED_WORD, Block
from fourcc.kernels.products.scales_per_16 import GROUPS_OF_16
from fourcc.kernels.products.signatures import FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import (
    add,
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
from fourcc.kernels.simd.memory import VECTOR, load_floats, load_ints, store, store_byte
from fourcc.kernels.simd.select import both, either, shifted_left, where_equal
from fourcc.kernels.simd.store_narrow import store_low_bytes

UPPER = 0x30303030  # bits 4 and 5 of four bytes
WIDTH, SIZE = 256, 210  # columns and bytes of a block
LOW, HIGH = np.float32(-32), np.float32(31)  # codes without their zero point
SCALE_LOW, SCALE_HIGH = np.float32(-128), np.float32(127)
_search = signed_search(16, 32)


def _place(word: int) -> int:
    """Scales come first; then, for each half, in turn a word of its first 32 bytes, of the next 32, of upper bits."""
    if word >= 48:
        place = word - 48
    elif word >= 32:
        place = 4 + 24 * ((word >> 3) - 4) + 3 * (word & 7) + 2
    else:
        place = 4 + 24 * (word >> 4) + 3 * (word & 7) + (word >> 3 & 1)
    return place


def _write_scales(p: int, scales: int, offsets: int) -> None:
    d, sign, mask = low_float16s(load_ints(p)), ints_of(128), ints_of(255)
    for four in range(4):
        words = load_ints(p + PACKED_WORD + PACKED_WORD * four)
        for byte in range(4):
            scale = subtract(both(add(shifted_right(words, 8 * byte), sign), mask), sign)
            store(scales + PACKED_WORD * (4 * four + byte), multiply(d, floats_from_ints(scale)))


def _codes(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
    def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
        """A half has 32 columns in low nibbles, 32 in those of the next 32 bytes, 64 in the high nibbles of both."""
        mask, two = ints_of(NIBBLES), ints_of(UPPER)
        for each in range(4):
            half, side = each >> 1, each & 1
            first, second, third, fourth = no_dots(), no_dots(), no_dots(), no_dots()
            for four in range(4):
                at, column = p + PACKED_WORD * (5 + 12 * each + 3 * four), 128 * half + 16 * side + 4 * four
                low, high, more = load_ints(at), load_ints(at + PACKED_WORD), load_ints(at + 2 * PACKED_WORD)
                first = put(first, either(both(low, mask), both(shifted_left(more, 4), two)), place, column)
                second = put(second, either(both(high, mask), both(shifted_left(more, 2), two)), place, column + 32)
                low, high = both(shifted_right(low, 4), mask), both(shifted_right(high, 4), mask)
                third = put(third, either(low, both(more, two)), place, column + 64)
                fourth = put(fourth, either(high, both(shifted_right(more, 2), two)), place, column + 96)
            scale = 8 * half + side
            total = finish(total, first, scale, where)
            total = finish(total, second, scale + 2, where)
            total = finish(total, third, scale + 4, where)
            total = finish(total, fourth, scale + 6, where)
        return total

    return codes


def _encode_block(p: int, scratch: int) -> None:
    """Encodes a block as `formats.q6_k` does."""
    for at in range(0, 16 * VECTOR, VECTOR):
        x = load_floats(scratch + X + at)
        store(scratch + IMPORTANCE + at, multiply(x, x))
    scale, inverse = _search(scratch)
    store(scratch + SPARE, scale)
    peak = first_largest_of(scratch + SPARE, 0, 16)
    if abs(peak) < NOTHING:
        for at in range(SIZE):
            store_byte(p + at, 0)
    else:
        scales = multiples_of_one(scale, peak, SCALE_LOW, SCALE_HIGH, p + 208)
        store_low_bytes(p + 192, ints_from_floats(scales))
        stored = multiply(floats_of(load_float16(p + 208)), scales)
        _find_codes(stored, inverse, scratch)
        order_codes(16, scratch)
        store_nibbles(p, scratch + STAGED, 64)
        store_pairs(p + 128, scratch + STAGED, 4)


def _find_codes(stored: Lanes, inverse: Lanes, scratch: int) -> None:
    """Writes the codes nearest to x with the scales as stored; where such a scale is 0, those of the search."""
    zero, none, moved = floats_of(ZERO), floats_of(LOW), floats_of(-LOW)
    for at in range(0, 16 * VECTOR, VECTOR):
        x = load_floats(scratch + X + at)
        searched = where_equal(inverse, zero, none, nearest(multiply(inverse, x), LOW, HIGH))
        codes = where_equal(stored, zero, searched, nearest(divide(x, stored), LOW, HIGH))
        store(scratch + TRIED + at, add(codes, moved))


KERNEL = packed_kernel(
    Block(WIDTH, SIZE, _write_scales, _codes, half=208, place=_place, zero=32, group=GROUPS_OF_16, prefetched=False),
    encoder=block_encoder(SIZE, _encode_block),
)
