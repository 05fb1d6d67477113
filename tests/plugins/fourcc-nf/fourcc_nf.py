"""Nf64: sixteen quantiles of the normal distribution, one float16 scale for 64 weights along a row.

::

    block of up to 64 weights along a row; 4.25 bits per weight
    scales   (rows, ceil(cols / 64)) float16: the largest |w| of the block, rounded up
    codes    (rows, ceil(cols / 2)) uint8: low nibble the even column, high nibble the odd one

Decode: w = scale * CODEBOOK[code], in float32. Encode: the code whose value is nearest to w / scale; ties go to the
lower. The last block may be short; the unused nibble of an odd row is zero.
"""

from statistics import NormalDist

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Part, Parts

BLOCK = 64


def _codebook() -> Floats:
    """Eight quantiles below zero, zero, seven above; rounded to 4 digits, so all machines agree."""
    quantile = NormalDist().inv_cdf
    below = [quantile(0.033 + (0.5 - 0.033) * k / 8) for k in range(8)]
    above = [-quantile(0.033 + (0.5 - 0.033) * k / 7) for k in range(7)]
    values = [v / -below[0] for v in below] + [0.0] + [v / above[0] for v in reversed(above)]
    return np.array([round(v, 4) for v in values], np.float32)  # (16,)


CODEBOOK = _codebook()
BORDERS = (CODEBOOK[1:] + CODEBOOK[:-1]) / 2  # (15,)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored codes, uint8 (rows, cols)."""
    pairs = parts["codes"][:, :, None] >> np.array([0, 4], np.uint8)  # (rows, pairs, 2)
    return (pairs & np.uint8(15)).reshape(geom.rows, -1)[:, : geom.cols]


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales and codes -> float32 (rows, cols)."""
    scale = np.repeat(parts["scales"].astype(np.float32), BLOCK, axis=1)[:, : geom.cols]
    weights: Floats = scale * CODEBOOK[codes(parts, geom)]
    return weights


def decode_block(scales: Array, codes: Array, weights: Array) -> None:
    """Decodes one block: a scale and 32 pairs of codes -> 64 weights. The fused kernel is generated from it."""
    scale = scales[0]
    for pair in range(BLOCK // 2):
        both = codes[pair]
        weights[2 * pair] = scale * CODEBOOK[both & 15]
        weights[2 * pair + 1] = scale * CODEBOOK[both >> 4]


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scales and codes."""
    blocks = -(-geom.cols // BLOCK)
    padded = np.zeros((geom.rows, blocks * BLOCK), np.float32)
    padded[:, : geom.cols] = tile
    scale = _round_up(np.abs(padded.reshape(geom.rows, blocks, BLOCK)).max(axis=2))  # (rows, blocks) float16
    safe = np.where(scale == 0, np.float32(1), scale.astype(np.float32))
    unit = padded.reshape(geom.rows, blocks, BLOCK) / safe[:, :, None]
    code = np.searchsorted(BORDERS, unit.reshape(geom.rows, -1), side="left").astype(np.uint8)
    code[:, geom.cols :] = 0
    return {"scales": scale, "codes": (code[:, 0::2] | code[:, 1::2] << 4)[:, : -(-geom.cols // 2)]}


def _round_up(scale: Floats) -> Array:
    """Rounds up to float16, so |w| / scale stays within 1. A scale that is too large becomes infinite."""
    with np.errstate(over="ignore"):
        half = scale.astype(np.float16)
        return np.where(half < scale, np.nextafter(half, np.float16(np.inf)), half).astype(np.float16)


NF64 = Format(
    tag="Nf64",
    name="normal float, 64",
    summary="4-bit quantiles of the normal distribution, float16 scale for 64",
    block=(1, BLOCK),
    parts=(
        Part("scales", "<f2", tail=lambda geom: (-(-geom.cols // BLOCK),)),
        Part("codes", "|u1", tail=lambda geom: (-(-geom.cols // 2),)),
    ),
    short_block=True,
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
)
