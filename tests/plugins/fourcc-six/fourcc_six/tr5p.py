"""Tr5p: three levels, five weights a byte, one float16 scale for 320 weights along a row.

::

    block of up to 320 weights along a row; 1.65 bits per weight
    scale    (rows, ceil(cols / 320)) float16
    codes    five weights a byte               0, 1, 2 for -scale, 0, scale; a byte is the sum of code * 3^k

Decode: w = scale * (code - 1), in float32. Encode: weights of at most 0.7 times the block's mean |w| become 0;
the scale is the mean |w| of the others. Sums are float64, from left to right.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 320 codes -> 320 weights."""
    weights[:] = scale * (codes - 1)


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 320) -> scales (blocks,) and codes (blocks, 320)."""
    size = np.abs(blocks.w)
    large = size > 0.7 * total(size)[:, None] / size.shape[1]
    scale = total(size * large) / np.maximum(1, large.sum(axis=1))
    return {"scale": scale, "codes": (1 + np.sign(blocks.w) * large).astype(np.uint8)}


def total(values: Array) -> Array:
    """The sum of each row, from left to right: numpy's `sum` adds in another order on another machine."""
    return values.cumsum(axis=1, dtype=np.float64)[:, -1]


TR5P = Format(
    tag="Tr5p",
    summary="three levels, five weights a byte, float16 scale for 320",
    block=320,
    parts=(per_block("scale", "<f2"), packed("codes", base=3, digits=5)),
    decode_block=decode_block,
    encode=encode,
)
