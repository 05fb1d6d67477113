"""IQ4_XS: super-blocks of 256 codes of 4 bits that name levels, a scale of 6 bits for each 32."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.encoders.lanes import ONE, SPARE, STAGED, TRIED, ZERO, X, nearest, order_codes, pair_encoder
from fourcc.kernels.encoders.levels import level_codes, level_scale, levels_of, nearest_code
from fourcc.kernels.encoders.scale_search import first_largest_of
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import PACKED_WORD, Block
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
from fourcc.kernels.simd.load_wide import load_float_pair
from fourcc.kernels.simd.memory import (
    VECTOR,
    load_byte,
    load_float,
    load_floats,
    load_ints,
    store,
    store_byte,
    store_float,
)
from fourcc.kernels.simd.select import both, either, shifted_left, where_equal
from fourcc.kernels.simd.store_narrow import store_float16, store_low_bytes

WIDTH, SIZE = 256, 136  # columns and bytes of a block
SUB = 32  # weights with one scale
SCALE_ZERO = 32  # the code of scale 0
SCALE_LOW, SCALE_HIGH = np.float32(-SCALE_ZERO), np.float32(SCALE_ZERO - 1)


def _write_scales(p: int, scales: int, offsets: int) -> None:
    """The word of the float16 has the upper two bits of eight scales, the next one the lower four."""
    d, lower, upper = low_float16s(load_ints(p)), load_ints(p + PACKED_WORD), shifted_right(load_ints(p), 16)
    four, two, zero = ints_of(15), ints_of(3), ints_of(SCALE_ZERO)
    for each in range(8):
        more = shifted_left(both(shifted_right(upper, 2 * each), two), 4)
        scale = subtract(either(both(shifted_right(lower, 4 * each), four), more), zero)
        store(scales + PACKED_WORD * each, multiply(d, floats_from_ints(scale)))


def _encode_pair(one: int, other: int, scratch: int) -> None:
    """Encodes two blocks as `formats.iq4x` does: eight scales of each, then the codes with the scales as stored."""
    scale, zero = level_scale(scratch), floats_of(ZERO)
    store(scratch + SPARE, scale)
    upper, lower = first_largest_of(scratch + SPARE, 0, 8), first_largest_of(scratch + SPARE, 8, 16)
    store_float(scratch + SPARE, upper / SCALE_LOW)
    store_float(scratch + SPARE + 4, lower / SCALE_LOW)
    store_float16(one, load_float(scratch + SPARE))
    store_float16(other, load_float(scratch + SPARE + 4))
    d = load_float_pair(scratch + SPARE)
    inverse = where_equal(d, zero, zero, divide(floats_of(ONE), d))
    scales = nearest(multiply(inverse, scale), SCALE_LOW, SCALE_HIGH)
    stored = multiply(d, scales)
    inverse = where_equal(stored, zero, zero, divide(floats_of(ONE), stored))
    for at in range(0, SUB * VECTOR, VECTOR):
        store(scratch + TRIED + at, nearest_code(multiply(inverse, load_floats(scratch + X + at))))
    order_codes(SUB, scratch)
    store_low_bytes(scratch + SPARE, ints_from_floats(subtract(scales, floats_of(SCALE_LOW))))
    _store_block(one, scratch + SPARE, scratch + STAGED)
    _store_block(other, scratch + SPARE + 8, scratch + STAGED + 4 * WIDTH)


def _store_block(p: int, scales: int, codes: int) -> None:
    """Packs a block's eight scales, a byte each, and its 256 codes, int32."""
    more = 0
    for each in range(8):
        more |= load_byte(scales + each) >> 4 << 2 * each
    store_byte(p + 2, more & 255)
    store_byte(p + 3, more >> 8)
    for each in range(4):
        store_byte(p + 4 + each, load_byte(scales + 2 * each) & 15 | (load_byte(scales + 2 * each + 1) & 15) << 4)
    for each in range(8):
        pairs = codes + 4 * SUB * each
        store_low_bytes(p + 8 + 16 * each, either(load_ints(pairs), shifted_left(load_ints(pairs + VECTOR), 4)))


KERNEL = packed_kernel(
    Block(WIDTH, SIZE, _write_scales, level_codes(levels_of, scales=8, begin=2)),
    encoder=pair_encoder(SIZE, _encode_pair),
)
