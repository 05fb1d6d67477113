"""Eight scales and eight minima of six bits in twelve bytes, after the two float16 of Q4_K and Q5_K."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.encoders.affine_blocks import AffineBlock, StoreCodes
from fourcc.kernels.encoders.affine_search import affine_search
from fourcc.kernels.encoders.lanes import IMPORTANCE, NO_TERM, X
from fourcc.kernels.products.packed_layout import PACKED_WORD
from fourcc.kernels.simd.arithmetic import (
    absolute,
    add,
    divide,
    floats_from_ints,
    floats_of,
    ints_of,
    multiply,
    shifted_right,
)
from fourcc.kernels.simd.elementary import roots
from fourcc.kernels.simd.int32 import high_float16s, low_float16s
from fourcc.kernels.simd.memory import VECTOR, load_byte, load_floats, load_ints, store, store_byte
from fourcc.kernels.simd.select import both, either

MINUS_ONE, THIRTY_TWO = np.float32(-1), np.float32(32)


def expand_scales(p: int, scales: int, offsets: int) -> None:
    """Writes the scales and offsets of sixteen packed blocks; the last four of either have their bits in two places."""
    d = low_float16s(load_ints(p))
    dmin = multiply(high_float16s(load_ints(p)), floats_of(MINUS_ONE))
    low, high, rest = load_ints(p + PACKED_WORD), load_ints(p + 2 * PACKED_WORD), load_ints(p + 3 * PACKED_WORD)
    six, four, two = ints_of(63), ints_of(15), ints_of(48)
    for j in range(4):
        scale, minimum = shifted_right(low, 8 * j), shifted_right(high, 8 * j)
        later = either(both(shifted_right(rest, 8 * j), four), both(shifted_right(scale, 2), two))
        below = either(both(shifted_right(rest, 8 * j + 4), four), both(shifted_right(minimum, 2), two))
        store(scales + PACKED_WORD * j, multiply(d, floats_from_ints(both(scale, six))))
        store(scales + PACKED_WORD * (j + 4), multiply(d, floats_from_ints(later)))
        store(offsets + PACKED_WORD * j, multiply(dmin, floats_from_ints(both(minimum, six))))
        store(offsets + PACKED_WORD * (j + 4), multiply(dmin, floats_from_ints(below)))


def store_scales(block: int, scales: int, minima: int) -> None:
    """Packs eight bytes of scales and eight of minima after a block's two float16."""
    for j in range(4):
        scale, minimum = load_byte(scales + j + 4), load_byte(minima + j + 4)
        store_byte(block + 4 + j, load_byte(scales + j) | scale >> 4 << 6)
        store_byte(block + 8 + j, load_byte(minima + j) | minimum >> 4 << 6)
        store_byte(block + 12 + j, scale & 15 | (minimum & 15) << 4)


def weigh_errors(scratch: int) -> None:
    """Weights the error of each of 32 weights by its magnitude plus the root mean square of the group."""
    total = floats_of(NO_TERM)
    for at in range(X, X + 32 * VECTOR, VECTOR):
        x = load_floats(scratch + at)
        total = add(total, multiply(x, x))
    mean = roots(divide(total, floats_of(THIRTY_TWO)))
    for at in range(0, 32 * VECTOR, VECTOR):
        store(scratch + IMPORTANCE + at, add(mean, absolute(load_floats(scratch + X + at))))


def six_bit_block(top: int, size: int, tries: tuple[float, float, int], store_codes: StoreCodes) -> AffineBlock:
    """A block of `size` bytes with codes 0 .. top; `tries` are the search's first try, increment and last number."""
    first, increment, last = tries
    search = affine_search(32, top, first, increment, last)
    return AffineBlock(32, size, 0, 2, top, 63, weigh_errors, search, store_scales, store_codes)
