"""Encodes Q4_0 and Q8_0 and decodes Q4_0: ggml's blocks of a float16 scale and 32 codes.

Every operation is that of `fourcc.formats.q4_0` and `fourcc.formats.q8_0`, in float32: a true division, then a product
and a sum, rounded separately. So the bytes are the same.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import COLS, PARTS
from fourcc.kernels.encoders.block_by_block import block_by_block
from fourcc.kernels.simd.arithmetic import (
    absolute,
    add,
    divide,
    floats_from_ints,
    floats_of,
    ints_from_floats,
    ints_of,
    larger,
    largest,
    multiply,
    shifted_right,
    subtract,
)
from fourcc.kernels.simd.int8 import store_as_bytes
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float16
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store
from fourcc.kernels.simd.select import (
    both,
    copied_sign,
    either,
    first_of_magnitude,
    load_bytes_as_ints,
    shifted_left,
    smaller_ints,
)
from fourcc.kernels.simd.store_narrow import store_float16, store_low_bytes

BYTES_OF_EIGHT, BYTES_OF_FOUR = 34, 18  # a block with codes of 8 bits, and of 4 bits
TOP = np.float32(127)
BELOW_HALF = np.float32(0.5 - 2**-25)  # the float32 before 0.5
MINUS_EIGHT, ROUNDING = np.float32(-8), np.float32(8.5)
ZERO_POINT = 8
ONE, NOTHING = np.float32(1), np.float32(0)


def _encode_eight_bits(x: int, p: int, scratch: int) -> None:
    """Encodes a block of Q8_0."""
    low, high = load_floats(x), load_floats(x + 64)
    d = largest(larger(absolute(low), absolute(high))) / TOP
    inverse = divide(ONE, d)
    scale = floats_of(NOTHING if np.isinf(inverse) else inverse)
    store_float16(p, d)
    store_as_bytes(p + 2, _half_away(multiply(low, scale)))
    store_as_bytes(p + 18, _half_away(multiply(high, scale)))


encode_eight_bits = block_by_block(32, BYTES_OF_EIGHT, _encode_eight_bits)


def _half_away(q: Lanes) -> Lanes:
    """A number that, truncated toward zero, gives q rounded half away from zero."""
    moved: Lanes = add(q, copied_sign(floats_of(BELOW_HALF), q))
    return moved


def _encode_four_bits(x: int, p: int, scratch: int) -> None:
    """Encodes a block of Q4_0."""
    low, high = load_floats(x), load_floats(x + 64)
    peak = largest(larger(absolute(low), absolute(high)))
    d = load_float(x + 4 * (first_of_magnitude(low, high, peak) & 31)) / MINUS_EIGHT
    inverse = divide(ONE, d)
    overflows = np.isinf(inverse)
    scale = floats_of(NOTHING if overflows else inverse)
    offset = floats_of(NOTHING if overflows and d != NOTHING else ROUNDING)  # NOTHING: the block's codes are all 0
    store_float16(p, d)
    nibbles = shifted_left(_codes(high, scale, offset), 4)
    store_low_bytes(p + 2, either(_codes(low, scale, offset), nibbles))


encode_four_bits = block_by_block(32, BYTES_OF_FOUR, _encode_four_bits)


def _codes(w: Lanes, scale: Lanes, offset: Lanes) -> Lanes:
    codes: Lanes = smaller_ints(ints_from_floats(add(multiply(w, scale), offset)), ints_of(15))
    return codes


def decode_four_bits(weights: int, row: int, out: int) -> None:
    """Decodes a row of Q4_0."""
    blocks = load_word(weights + COLS) >> 5
    p = load_word(weights + PARTS) + row * blocks * BYTES_OF_FOUR
    eights, mask = ints_of(ZERO_POINT), ints_of(15)
    for block in range(blocks):
        d = floats_of(load_float16(p))
        pairs = load_bytes_as_ints(p + 2)
        low, high = subtract(both(pairs, mask), eights), subtract(shifted_right(pairs, 4), eights)
        store(out + 128 * block, multiply(floats_from_ints(low), d))
        store(out + 128 * block + 64, multiply(floats_from_ints(high), d))
        p += BYTES_OF_FOUR
