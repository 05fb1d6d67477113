"""Lg4x: a sign and a power of two, one float16 scale for 64 weights along a row.

::

    block of up to 64 weights along a row; 4.25 bits per weight
    scale    (rows, ceil(cols / 64)) float16   the largest |w| of the block
    codes    4 bits a weight                   bit 3: the sign; bits 2 .. 0: e, of 2^-e

Decode: w = scale * LEVELS[code]. Encode: the level that is nearest to w / scale; ties go to the lower code.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block

LEVELS = np.array([sign * 2.0**-e for sign in (1, -1) for e in range(8)], np.float32)


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 64 codes -> 64 weights."""
    weights[:] = scale * LEVELS[codes]


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    scale = np.abs(blocks.w).max(axis=1)
    unit = blocks.w / scale.clip(1e-30)[:, None]
    return {"scale": scale, "codes": np.abs(unit[..., None] - LEVELS).argmin(axis=2)}


LG4X = Format(
    tag="Lg4x",
    summary="a sign and a power of two, float16 scale for 64",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    decode_block=decode_block,
    encode=encode,
)
