"""Im4n: 4-bit codes, and for 64 weights along a row the float16 scale that costs least where it matters.

::

    block of up to 64 weights along a row; 4.25 bits per weight
    scale    (rows, ceil(cols / 64)) float16   may be negative
    codes    4 bits a weight                   w / scale + 8

Decode: w = scale * (code - 8), in float32. Encode: for each number t of `TOPS`, scale = (largest |w|) / t and
code = w / scale + 8, rounded half to even, 0 .. 15. The scale with the least sum of importance * error^2 wins; of equal
ones the first. Sums are float64, from left to right.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block

TOPS = np.concatenate([np.linspace(5, 9, 9), -np.linspace(5, 9, 9)])


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 64 codes -> 64 weights."""
    weights[:] = scale * (codes - 8)


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    w = blocks.w.astype(np.float64)
    scale = np.abs(w).max(axis=1) / TOPS[:, None]  # (tries, blocks)
    codes = np.rint(w / np.where(scale == 0, 1, scale)[..., None]).clip(-8, 7)  # (tries, blocks, 64)
    cost = blocks.importance * (w - scale[..., None] * codes) ** 2
    best = cost.cumsum(axis=2)[..., -1].argmin(axis=0), np.arange(len(w))
    return {"scale": scale[best], "codes": (codes[best] + 8).astype(np.uint8)}


IM4N = Format(
    tag="Im4n",
    summary="4-bit codes, float16 scale for 64 that costs least by the importance of the columns",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    needs=frozenset({"importance"}),
    decode_block=decode_block,
    encode=encode,
)
