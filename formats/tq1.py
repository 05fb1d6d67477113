"""TQ1, known as TQ1_0: ggml's ternary super-block with five weights a byte.

::

    block of 256 weights along a row, 54 bytes, 1.6875 bits per weight
    byte   0             32             48             52   54
           b0 ... b31    c0 ... c15     h0 ... h3      d
           digit n of    digit n of     digit n of     f16
           bj: weight    cj: weight     hj: weight
           32 n + j      160 + 16 n + j 240 + 4 n + j; four digits

Decode: w = d * (digit - 1), in float32. Five digits 0, 1, 2 are a number of base 3, the first the highest, and a byte
is that number * 256 / 243, rounded up: then digit n is byte * 3^n, of which 8 bits remain, * 3, shifted right by 8.
Encode: as for `Q2_0`: d = max |w|, digits 0, 1 and 2.
"""

from functools import partial

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, per_block, record
from fourcc.formats.layouts.ternary import bound_of, nearest

BLOCK = 256
DIGITS = 5  # of a byte
LOW, HIGH = 48, 4  # bytes of five digits, and of four
RUNS = ((0, 32, 0), (32, 16, 160), (48, 4, 240))  # first byte, bytes, first weight
BY_PLACE = np.array([3**n for n in reversed(range(DIGITS))])  # what a digit counts in a byte's number


def decode_block(q: Array, high: Array, d: Array, weights: Array) -> None:
    """Decodes one block."""
    stored = np.concatenate([q, high])
    for first, size, at in RUNS:
        for digit in range(min(DIGITS, (BLOCK - at) // size)):
            code = (stored[first : first + size] * 3**digit & 255) * 3 >> 8
            weights[at + size * digit : at + size * digit + size] = d * (code - 1)


def encode(blocks: Blocks) -> Parts:
    """Bytes of digits, and scales."""
    d, q = nearest(blocks.w)
    return {**packed_digits(q), "d": d}


def packed_digits(q: Array) -> Parts:
    """Codes 0 .. 2, (blocks, 256), as they are stored."""
    numbers = np.zeros((len(q), LOW + HIGH), np.uint16)
    for first, size, at in RUNS:
        digits = q[:, at : at + DIGITS * size].reshape(len(q), -1, size)
        places = BY_PLACE[: digits.shape[1], None].astype(np.uint16)
        numbers[:, first : first + size] = (digits * places).sum(axis=1)
    stored = ((numbers * 256 + 242) // 243).astype(np.uint8)
    return {"q": stored[:, :LOW], "high": stored[:, LOW:]}


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored digits, uint8 (rows, cols)."""
    blocks = parts["blocks"]  # (rows, cols / 256)
    stored = np.concatenate([blocks["q"], blocks["high"]], axis=-1).astype(np.uint16)
    found = np.empty((*blocks.shape, BLOCK), np.uint8)
    for first, size, at in RUNS:
        for digit in range(min(DIGITS, (BLOCK - at) // size)):
            some = slice(at + size * digit, at + size * digit + size)
            found[..., some] = (stored[..., first : first + size] * 3**digit & 255) * 3 >> 8
    return found.reshape(geom.rows, geom.cols)


def with_codes(parts: Parts, codes: Array, geom: Geometry) -> Parts:
    """The parts with other digits."""
    blocks = parts["blocks"].copy()
    for name, stored in packed_digits(codes.reshape(-1, BLOCK)).items():
        blocks[name] = stored.reshape(blocks[name].shape)
    return {"blocks": blocks}


TQ1 = Format(
    tag="TQ1",
    name="TQ1_0",
    summary="ggml's ternary super-blocks of 256, five weights a byte",
    block=BLOCK,
    parts=(record("blocks", per_block("q", "u1", LOW), per_block("high", "u1", HIGH), per_block("d", "f2")),),
    foreign={"ggml": 34},
    encode=encode,
    decode_block=decode_block,
    codes=codes,
    with_codes=with_codes,
    code_range=(0, 2),
    bound=partial(bound_of, block=BLOCK),
)
