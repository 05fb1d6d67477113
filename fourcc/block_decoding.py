"""Decoding of a matrix with its format's block decoder, all blocks of some rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_layout import blocks_in, entries
from fourcc.geometry import Geometry

if TYPE_CHECKING:
    from fourcc.compute.block_arrays import MatrixPart
    from fourcc.format import Format, Turn

BATCH = 1 << 18  # weights that are decoded at a time
WIDEST_PADDED = 1 << 15  # columns of a block that a short row is filled up to; no wider one can be traced


def decode_by_blocks(fmt: Format, parts: Parts, geom: Geometry) -> Floats:
    """The weights, float32 (rows, cols): those of the blocks, turned back, and with those that are extra."""
    w = decode_blocks_alone(fmt, parts, geom)
    if fmt.turn is not None:
        w = _turned_back(fmt.turn, w, parts, geom)
    if fmt.extra is not None:
        from fourcc.compute.sparse_weights import sparse_weights

        rows, cols, values = sparse_weights(fmt.extra, fmt.tag, parts, geom)
        np.add.at(w, (rows, cols), values)
    return w


def decode_blocks_alone(fmt: Format, parts: Parts, geom: Geometry) -> Floats:
    """The weights as `decode_block` gives them, float32 (rows, cols)."""
    height = fmt.block[0] or geom.rows
    step = height * max(1, BATCH // max(1, height * max(geom.cols, _padded_width(fmt, geom))))
    w = np.empty((geom.rows, geom.cols), np.float32)
    for first in range(0, geom.rows, step):
        last = min(geom.rows, first + step)
        some = {part.name: part.cut(parts[part.name], first, last) for part in fmt.block_parts}
        _decode_rows(fmt, some, Geometry(last - first, geom.cols, geom.params), w[first:last])
    return w


def _padded_width(fmt: Format, geom: Geometry) -> int:
    """Columns of a block as it is decoded; a parameter may make it so wide that only the row's own are."""
    width = fmt.width(fmt.with_defaults(geom.params)) or geom.cols
    return geom.cols if width > max(geom.cols, WIDEST_PADDED) and isinstance(fmt.block[1], str) else width


def _decode_rows(fmt: Format, parts: Parts, geom: Geometry, w: Floats) -> None:
    """Writes the weights of some rows, (rows, cols), as `decode_block` gives them."""
    from fourcc.compute.block_arrays import MatrixPart, decode_blocks

    assert fmt.decode_block is not None
    params = fmt.with_defaults(geom.params)
    height, width = fmt.block[0] or geom.rows, _padded_width(fmt, geom)
    if width != fmt.width(params) and isinstance(fmt.block[1], str):
        params |= {fmt.block[1]: width}
    arguments: list[Array | MatrixPart] = []
    for part in fmt.block_parts:
        found = entries(part, parts[part.name], geom, height, width)
        arguments += map(MatrixPart, found) if part.reach == "matrix" else found
    blocks, whole = blocks_in(w, height, width)
    decode_blocks(fmt.decode_block, arguments, blocks.shape[1], params, out=blocks.T)
    if whole is not None:
        w[...] = whole(blocks)


def _turned_back(turn: Turn, w: Floats, parts: Parts, geom: Geometry) -> Floats:
    """The matrix's weights; the function may not change those that it gets, just as in a product."""
    given = w.view()
    given.flags.writeable = False
    with np.errstate(all="ignore"):  # a damaged file may hold any scale
        turned = turn.back(given, parts, geom)
    return turned.copy() if isinstance(turned, np.ndarray) and not turned.flags.writeable else turned
