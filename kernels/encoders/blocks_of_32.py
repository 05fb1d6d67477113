"""Encoders without a search for ggml's blocks of 32 weights: Q4_1, Q5_1 and Q5_0, one block after the other.

Every operation is that of the format's own encoder, and is rounded separately.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.encoders.block_by_block import block_by_block
from fourcc.kernels.kernel import Encoder
from fourcc.kernels.simd.arithmetic import (
    absolute,
    add,
    divide,
    floats_of,
    ints_from_floats,
    ints_of,
    larger,
    largest,
    multiply,
    subtract,
)
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_float, load_floats, store_int
from fourcc.kernels.simd.select import both, either, first_of_magnitude, gathered_bits, shifted_left, smaller_ints
from fourcc.kernels.simd.store_narrow import store_float16, store_low_bytes

BYTES_OF_FIVE = 22  # a block of Q5_0
ZERO, ONE, HALF, MINUS_ONE = np.float32(0), np.float32(1), np.float32(0.5), np.float32(-1)
MINUS_SIXTEEN, ROUNDING = np.float32(-16), np.float32(16.5)


def encode_between(top: int, size: int) -> Encoder:
    """The encoder whose code 0 stands for the least weight, and whose code `top` for the largest.

    Args:
        top: largest code, 15 or 31.
        size: bytes of a block: scale, minimum, a word of fifth bits where codes have five, nibbles.
    """
    code_top, five = np.float32(top), top > 15

    def encode(x: int, p: int, scratch: int) -> None:
        low, high = load_floats(x), load_floats(x + 64)
        least = _least(x, low, high)
        d = abs(largest(larger(low, high)) - least) / code_top
        store_float16(p, d)
        store_float16(p + 2, least)
        inverse, minimum = floats_of(_finite(divide(ONE, d))), floats_of(least)
        one = _codes(multiply(subtract(low, minimum), inverse), HALF, top)
        other = _codes(multiply(subtract(high, minimum), inverse), HALF, top)
        _store_codes(p + 4, one, other, five)

    return block_by_block(32, size, encode)


def _encode_five_bits(x: int, p: int, scratch: int) -> None:
    """Encodes a block of Q5_0."""
    low, high = load_floats(x), load_floats(x + 64)
    peak = largest(larger(absolute(low), absolute(high)))
    signed_peak = load_float(x + 4 * (first_of_magnitude(low, high, peak) & 31))
    d = (ZERO if signed_peak == ZERO else signed_peak) / MINUS_SIXTEEN
    store_float16(p, d)
    inverse = divide(ONE, d)
    offset = ZERO if np.isinf(inverse) and d != ZERO else ROUNDING  # where the inverse overflows, all codes are 0
    scale = floats_of(_finite(inverse))
    one, other = _codes(multiply(low, scale), offset, 31), _codes(multiply(high, scale), offset, 31)
    _store_codes(p + 2, one, other, True)  # noqa: FBT003 - kernels have no keywords


encode_five_bits = block_by_block(32, BYTES_OF_FIVE, _encode_five_bits)


def _least(x: int, low: Lanes, high: Lanes) -> np.float32:
    """The least of 32 weights; where it is zero, the first 0 or -0."""
    minus = floats_of(MINUS_ONE)
    least: np.float32 = -largest(larger(multiply(low, minus), multiply(high, minus)))
    if least == ZERO:
        least = load_float(x + 4 * (first_of_magnitude(low, high, ZERO) & 31))
    return least


def _finite(inverse: np.float32) -> np.float32:
    return ZERO if np.isinf(inverse) else inverse


def _codes(scaled: Lanes, offset: np.float32, top: int) -> Lanes:
    codes: Lanes = smaller_ints(ints_from_floats(add(scaled, floats_of(offset))), ints_of(top))
    return codes


def _store_codes(p: int, one: Lanes, other: Lanes, five: bool) -> None:  # noqa: FBT001 - kernels have no keywords
    """Stores 32 codes: a word of fifth bits where they have five, then nibbles."""
    mask = ints_of(15)
    if five:
        store_int(p, gathered_bits(one, 4) | gathered_bits(other, 4) << 16)
        p += 4
    store_low_bytes(p, either(both(one, mask), shifted_left(other, 4)))
