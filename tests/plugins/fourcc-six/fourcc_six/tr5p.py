"""Tr5p: three levels, five weights a byte, one float16 scale for 320 weights along a row."""

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 320 codes -> 320 weights."""
    weights[:] = scale * (codes - 1)


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 320) -> scales (blocks,) and codes (blocks, 320)."""
    size = np.abs(blocks.w)
    large = size > 0.7 * in_order(size)[:, None] / size.shape[1]
    scale = in_order(size * large) / np.maximum(1, large.sum(axis=1))
    return {"scale": scale, "codes": (1 + np.sign(blocks.w) * large).astype(np.uint8)}


def in_order(values: Array) -> Array:
    """The sum of each row, from left to right: the same on every machine, as that of `sum` is not."""
    return values.cumsum(axis=1, dtype=np.float64)[:, -1]


TR5P = Format(
    tag="Tr5p",
    summary="three levels, five weights a byte, float16 scale for 320",
    block=320,
    parts=(per_block("scale", "<f2"), packed("codes", base=3, digits=5)),
    decode_block=decode_block,
    encode=encode,
)
