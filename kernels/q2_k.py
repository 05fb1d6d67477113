"""Q2_K: super-blocks of 256 codes of 2 bits, a scale and a minimum of 4 bits for each 16.

With s and t an activation's scale and sum (of s times its codes) for 16 columns, and z the dot product of their codes:

    y = sum over groups of 16 of d scale s z - dmin minimum t
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.encoders.affine_blocks import AffineBlock, affine_encoder
from fourcc.kernels.encoders.affine_search import affine_search
from fourcc.kernels.encoders.bit_fields import store_pairs
from fourcc.kernels.encoders.lanes import IMPORTANCE, X
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import PACKED_WORD, TWOS, Block
from fourcc.kernels.products.scales_per_16 import GROUPS_OF_16
from fourcc.kernels.products.signatures import FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import absolute, floats_from_ints, floats_of, ints_of, multiply, shifted_right
from fourcc.kernels.simd.int32 import high_float16s, low_float16s
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_floats, load_ints, store
from fourcc.kernels.simd.select import both, either, load_bytes_as_ints, shifted_left
from fourcc.kernels.simd.store_narrow import store_low_bytes

MINUS_ONE = np.float32(-1)


def _place(word: int) -> int:
    """The two float16 come first; then scales, then codes."""
    return 0 if word == 20 else word + 1


def _write_scales(p: int, scales: int, offsets: int) -> None:
    """A byte has the scale of 16 columns in its low nibble, their minimum in the high one; offsets are negative."""
    d, mask = low_float16s(load_ints(p)), ints_of(15)
    dmin = multiply(high_float16s(load_ints(p)), floats_of(MINUS_ONE))
    for four in range(4):
        words = load_ints(p + PACKED_WORD + PACKED_WORD * four)
        for byte in range(4):
            scale, minimum = shifted_right(words, 8 * byte), shifted_right(words, 8 * byte + 4)
            store(scales + PACKED_WORD * (4 * four + byte), multiply(d, floats_from_ints(both(scale, mask))))
            store(offsets + PACKED_WORD * (4 * four + byte), multiply(dmin, floats_from_ints(both(minimum, mask))))


def _codes(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
    def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
        """A half has 32 bytes: their lowest two bits are 32 columns, the next two bits the next 32."""
        mask = ints_of(TWOS)
        for each in range(4):
            half, side = each >> 1, each & 1
            first, second, third, fourth = no_dots(), no_dots(), no_dots(), no_dots()
            for four in range(4):
                word, column = load_ints(p + PACKED_WORD * (5 + 4 * each + four)), 128 * half + 16 * side + 4 * four
                first = put(first, both(word, mask), place, column)
                second = put(second, both(shifted_right(word, 2), mask), place, column + 32)
                third = put(third, both(shifted_right(word, 4), mask), place, column + 64)
                fourth = put(fourth, both(shifted_right(word, 6), mask), place, column + 96)
            scale = 8 * half + side
            total = finish(total, first, scale, where)
            total = finish(total, second, scale + 2, where)
            total = finish(total, third, scale + 4, where)
            total = finish(total, fourth, scale + 6, where)
        return total

    return codes


def _count(scratch: int) -> None:
    """Weights each error by the magnitude of its x."""
    for at in range(0, 16 * VECTOR, VECTOR):
        store(scratch + IMPORTANCE + at, absolute(load_floats(scratch + X + at)))


def _store_scales(block: int, scales: int, minima: int) -> None:
    low, high = load_bytes_as_ints(scales), load_bytes_as_ints(minima)
    store_low_bytes(block, either(low, shifted_left(high, 4)))


def _store_codes(block: int, codes: int) -> None:
    store_pairs(block + 16, codes, 0)


_SEARCH = affine_search(16, 3, -0.5, 0.1, 15, by_magnitude=True)
_ENCODER = affine_encoder(AffineBlock(16, 84, 80, 82, 3, 15, _count, _SEARCH, _store_scales, _store_codes))
KERNEL = packed_kernel(
    Block(256, 84, _write_scales, _codes, place=_place, zero=0, affine=True, group=GROUPS_OF_16), encoder=_ENCODER
)
