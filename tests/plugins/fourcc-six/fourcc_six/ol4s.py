"""Ol4s: 4-bit codes with a float16 scale for 32 weights along a row, and the largest 0.5 % of the weights beside them.

::

    block of up to 32 weights along a row; 4.5 + 0.005 * (32 + 16) = 4.74 bits per weight
    scale    (rows, ceil(cols / 32)) float16   the largest |w| of the block, without the outliers, / 7
    codes    4 bits a weight                   1 .. 15; 8 for an outlier
    places   (outliers,) uint32                row * cols + column, ascending
    values   (outliers,) float16

Decode: w = scale * (code - 8), in float32; to the outliers their values are added. Encode: the outliers are the
rows * cols / 200 weights of largest magnitude, of equal ones the first; code = w / scale + 8.5, cut to an integer.
"""

from fractions import Fraction

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, Sparse, packed, per_block, ragged


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 32 codes -> 32 weights."""
    weights[:] = scale * (codes - 8)


def outliers(parts: Parts, geom: Geometry) -> Sparse:
    """The weights that are added to those of the blocks."""
    rows, cols = np.divmod(parts["places"], geom.cols)
    return Sparse(rows, cols, parts["values"].astype(np.float32))


def encode(blocks: Blocks) -> Parts:
    """All blocks of a matrix (blocks, 32) -> scales (blocks,), codes (blocks, 32), places and values (outliers,)."""
    rows, cols = blocks.rows.shape
    places = np.sort(np.argsort(-np.abs(blocks.rows), axis=None, kind="stable")[: rows * cols // 200])
    w = blocks.w.copy()
    w.reshape(rows, -1)[places // cols, places % cols] = 0
    scale = np.abs(w).max(axis=1) / 7
    codes = (w / scale.clip(1e-30)[:, None] + 8.5).clip(1, 15).astype(np.uint8)
    return {"scale": scale, "codes": codes, "places": places, "values": blocks.rows.take(places)}


OL4S = Format(
    tag="Ol4s",
    summary="4-bit codes, float16 scale for 32; the largest 0.5 % of the weights beside them",
    block=32,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4), ragged("places", "<u4"), ragged("values", "<f2")),
    nominal_bits=Fraction("4.74"),
    decode_block=decode_block,
    extra=outliers,
    encode=encode,
)
