"""Hd4r: 4-bit codes of weights that a Hadamard matrix has mixed, one float16 scale for 64 of them along a row.

::

    block of up to 64 weights along a row; 4.25 bits per weight
    scale    (rows, ceil(cols / 64)) float16   the largest |v| of the block / 7
    codes    4 bits a weight                   1 .. 15

Decode: v = scale * (code - 8) and w = H v, in float32. H mixes each 64 weights of a row, in six steps of sums and
differences, each times sqrt(1/2). What is left at the end of a row takes part in the steps that fit, so that H mixes
32, 16, ... 1 of it. H is its own inverse, and symmetric: products mix the activation once, H x, and multiply it by v.
Encode: v = H w; code = v / scale + 8.5, cut to an integer.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Turn, packed, per_block


def decode_block(scale: Array, codes: Array, mixed: Array) -> None:
    """A scale and 64 codes -> 64 mixed weights."""
    mixed[:] = scale * (codes - 8)


def mix(rows: Floats, parts: Parts, geom: Geometry) -> Floats:
    """H times each row (n, cols)."""
    mixed, cols = rows.copy(), rows.shape[1]
    for step in (1, 2, 4, 8, 16, 32):
        pairs = mixed[:, : cols - cols % (2 * step)].reshape(len(rows), -1, 2, step)
        low, high = pairs[:, :, 0], pairs[:, :, 1]
        pairs[:, :, 0], pairs[:, :, 1] = (low + high) * 0.5**0.5, (low - high) * 0.5**0.5
    return mixed


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    mixed = mix(blocks.w, {}, blocks.geom)
    scale = np.abs(mixed).max(axis=1) / 7
    return {"scale": scale, "codes": (mixed / scale.clip(1e-30)[:, None] + 8.5).clip(1, 15).astype(np.uint8)}


HD4R = Format(
    tag="Hd4r",
    summary="4-bit codes of weights mixed by a Hadamard matrix, float16 scale for 64",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    turn=Turn(forward=mix, back=mix),
    decode_block=decode_block,
    encode=encode,
)
