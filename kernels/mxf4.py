"""MXFP4: blocks of 32 codes of 4 bits and a byte, the exponent of their scale; a code names a level of E2M1.

Levels are doubled, so they are whole numbers and can be multiplied like the codes of Q8_0. Bytes are encoded as in
`fourcc.formats.mxf4`, with its one quirk: see `_exponent`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourcc.kernels.encoders.block_by_block import block_by_block
from fourcc.kernels.encoders.levels import level_codes
from fourcc.kernels.kernel import Careful, Parts
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import PACKED_WORD, Block
from fourcc.kernels.simd.arithmetic import (
    absolute,
    add,
    floats_of,
    ints_from_floats,
    ints_of,
    larger,
    largest,
    multiply,
    shifted_right,
    subtract,
)
from fourcc.kernels.simd.int32 import byte_table
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_floats, load_int, store, store_byte, store_float
from fourcc.kernels.simd.select import (
    either,
    load_bytes_as_ints,
    shifted_left,
    stairs,
    where_equal,
    where_less,
)
from fourcc.kernels.simd.store_narrow import store_low_bytes

SIZE = 17  # bytes of a block
LEVELS = (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)
BORDERS = (0.5, 1.5, 2.5, 3.5, 5, 7, 10)  # half-way between two levels; a weight on a border takes the lower one
HALF_BIAS = 63  # two factors 2^(a - 64), a + b = e, are 2^(e - 128); float32 has 127 more in its exponent
MANTISSA = 23  # bits
MAX_EXPONENT = 252  # the largest exponent whose levels are all finite
LARGE_EXPONENT = 192  # exponent whose scale is no larger than `kernel.LARGE`
ZERO, EIGHT = np.float32(0), np.float32(8)
_ABOVE = tuple(float(np.nextafter(np.float32(border), np.float32(16))) for border in BORDERS)
_code_of = stairs(_ABOVE, tuple(map(float, range(8))))


def _write_scales(p: int, scales: int, offsets: int) -> None:
    """Scales are 2^(e - 128), denormal for the first two e: products of two powers that are not denormal."""
    e = load_bytes_as_ints(p + 4 * PACKED_WORD)
    half = shifted_right(e, 1)
    store(scales, _power(half))
    first = load_floats(scales)
    store(scales, _power(subtract(e, half)))
    store(scales, multiply(first, load_floats(scales)))


def _power(exponent: Lanes) -> Lanes:
    """The bits of 2^(exponent - 64), for exponents 0 .. 128."""
    bits: Lanes = shifted_left(add(exponent, ints_of(HALF_BIAS)), MANTISSA)
    return bits


def _encode(x: int, p: int, scratch: int) -> None:
    """Encodes a block."""
    low, high = load_floats(x), load_floats(x + 64)
    store_float(scratch, largest(larger(absolute(low), absolute(high))))
    e = _exponent(load_int(scratch))
    half = e >> 1
    store(scratch, _power(ints_of(128 - half)))
    store(scratch + VECTOR, _power(ints_of(128 - e + half)))
    one, other = load_floats(scratch), load_floats(scratch + VECTOR)
    store_byte(p, e)
    codes = either(_codes(low, one, other), shifted_left(_codes(high, one, other), 4))
    store_low_bytes(p + 1, codes)


def _exponent(peak: int) -> int:
    """The stored exponent for the bits of a block's largest magnitude.

    ggml rounds the peak's logarithm to float32, so the last magnitudes below a power of two, 2^k, count as that power:
    their logarithm lies within half a unit in the last place of k. There are 2^j / log2(e) of them, with 2^j the
    largest power of two up to k - 1, or up to -k.
    """
    biased = peak >> MANTISSA
    k = biased - 126
    below = (1 << MANTISSA) - (peak & ((1 << MANTISSA) - 1))  # numbers of float32 from here to 2^k
    m = k - 1 if k > 0 else -k
    as_many = 0
    for j in range(1, 7):
        if m >> j:
            as_many = ((1 << j) * 11357) >> 14  # log2(e) is 16384 / 11357, near enough for so few
    return max(0, min(MAX_EXPONENT, biased - 2 + (1 if below <= as_many else 0)))


def _codes(w: Lanes, one: Lanes, other: Lanes) -> Lanes:
    """The codes of sixteen weights; `one` times `other` is the inverse of their scale."""
    code = _code_of(multiply(multiply(absolute(w), one), other))
    zero, sign = floats_of(ZERO), floats_of(EIGHT)
    negative = where_equal(code, zero, zero, where_less(w, zero, sign, zero))
    codes: Lanes = ints_from_floats(add(code, negative))
    return codes


def _has_large_scales(parts: Parts) -> bool:
    return bool((parts["blocks"]["e"] > LARGE_EXPONENT).any())


_PRODUCTS = packed_kernel(
    Block(32, SIZE, _write_scales, level_codes(byte_table(LEVELS)), half=0, rest=1),
    encoder=block_by_block(32, SIZE, _encode),
)
KERNEL = replace(_PRODUCTS, careful=Careful(_has_large_scales, _PRODUCTS.exact))
