"""Hd4r: 4-bit codes of weights that a Hadamard matrix has mixed, one float16 scale for 64 weights along a row."""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Turn, packed, per_block

ROOT = np.float32(0.5**0.5)


def decode_block(scale: Array, codes: Array, mixed: Array) -> None:
    """A scale and 64 codes -> 64 mixed weights."""
    mixed[:] = scale * (codes - 8)


def mix(w: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Each run of 64 columns times the Hadamard matrix of 64, which is its own inverse: six steps of sums and differences.

    What is left at the end of a row takes part in those steps that fit, so that it is mixed in runs of 32, 16, ... 1.
    """
    mixed, cols = w.copy(), w.shape[1]
    for step in (1, 2, 4, 8, 16, 32):
        pairs = mixed[:, : cols - cols % (2 * step)].reshape(len(w), -1, 2, step)
        low, high = pairs[:, :, 0], pairs[:, :, 1]
        pairs[:, :, 0], pairs[:, :, 1] = (low + high) * ROOT, (low - high) * ROOT
    return mixed


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    mixed = mix(blocks.w, {}, blocks.geom)
    scale = np.abs(mixed).max(axis=1) / 7
    return {"scale": scale, "codes": (np.rint(mixed / np.where(scale > 0, scale, 1)[:, None]) + 8).astype(np.uint8)}


HD4R = Format(
    tag="Hd4r",
    summary="4-bit codes of weights mixed by a Hadamard matrix, float16 scale for 64",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    turn=Turn(mix, mix),
    decode_block=decode_block,
    encode=encode,
)
