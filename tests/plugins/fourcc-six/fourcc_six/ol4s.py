"""Ol4s: 4-bit codes with a float16 scale for 32 weights along a row; the largest 0.5 % of the weights beside them."""

from fractions import Fraction

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, Sparse, packed, per_block, ragged


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """A scale and 32 codes -> 32 weights; those that are stored beside the codes are 0."""
    weights[:] = scale * (codes - 8)


def outliers(parts: Parts, geom: Geometry) -> Sparse:
    """The weights that are stored beside the codes."""
    row, col = np.divmod(parts["places"], geom.cols)
    return Sparse(row, col, parts["values"].astype(np.float32))


def encode(blocks: Blocks) -> Parts:
    """The blocks of a whole matrix (blocks, 32) -> its outliers, and scales and codes of the rest."""
    rows, cols = blocks.rows.shape
    places = np.sort(np.argsort(-np.abs(blocks.rows), axis=None, kind="stable")[: rows * cols // 200])
    w = blocks.w.copy()
    w.reshape(rows, -1)[places // cols, places % cols] = 0
    scale = np.abs(w).max(axis=1) / 7
    codes = (np.rint(w / np.where(scale > 0, scale, 1)[:, None]) + 8).astype(np.uint8)
    return {"scale": scale, "codes": codes, "places": places, "values": blocks.rows.reshape(-1)[places]}


OL4S = Format(
    tag="Ol4s",
    summary="4-bit codes, float16 scale for 32; the largest 0.5 % of the weights as float16",
    block=32,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4), ragged("places", "<u4"), ragged("values", "<f2")),
    nominal_bits=Fraction("4.74"),
    decode_block=decode_block,
    extra=outliers,
    encode=encode,
)
