"""Im4n: 4-bit codes with the float16 scale for 64 weights that costs least, by the importance of the columns."""

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block

TOPS = np.concatenate([np.linspace(5, 9, 17), -np.linspace(5, 9, 17)])  # codes that the largest |w| would have


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 64 codes -> 64 weights."""
    weights[:] = scale * (codes - 8)


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    scale = np.abs(blocks.w).max(axis=1) / TOPS[:, None]  # (tries, blocks)
    codes = np.rint(blocks.w / np.where(scale == 0, 1, scale)[..., None]).clip(-8, 7)  # (tries, blocks, 64)
    error = blocks.importance * (blocks.w - scale[..., None] * codes) ** 2
    best = error.cumsum(axis=2)[..., -1].argmin(axis=0), np.arange(len(blocks.w))
    return {"scale": scale[best], "codes": (codes[best] + 8).astype(np.uint8)}


IM4N = Format(
    tag="Im4n",
    summary="4-bit codes, float16 scale for 64 chosen by the importance of the columns",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    needs=frozenset({"importance"}),
    decode_block=decode_block,
    encode=encode,
)
