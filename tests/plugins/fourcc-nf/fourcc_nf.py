"""Nf64: sixteen quantiles of the normal distribution, one float16 scale for 64 weights along a row.

::

    block of up to 64 weights along a row; 4.25 bits per weight
    scale    (rows, ceil(cols / 64)) float16   the largest |w| of the block
    codes    4 bits a weight                   a quantile

Decode: w = scale * QUANTILES[code], in float32. Encode: the quantile nearest to w / scale; ties go to the lower.
"""

from statistics import NormalDist

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block

SHARES = [*np.linspace(0.033, 0.5, 8, endpoint=False), *np.linspace(0.5, 0.967, 8)]
LARGEST = NormalDist().inv_cdf(0.967)
QUANTILES = np.array([round(NormalDist().inv_cdf(p) / LARGEST, 4) for p in SHARES], np.float32)  # alike on all machines


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 64 codes -> 64 weights."""
    weights[:] = scale * QUANTILES[codes]


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    scale = np.abs(blocks.w).max(axis=1)
    borders = (QUANTILES[1:] + QUANTILES[:-1]) / 2
    return {"scale": scale, "codes": np.searchsorted(borders, blocks.w / scale.clip(1e-30)[:, None])}


NF64 = Format(
    tag="Nf64",
    summary="4-bit quantiles of the normal distribution, float16 scale for 64",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    decode_block=decode_block,
    encode=encode,
)
