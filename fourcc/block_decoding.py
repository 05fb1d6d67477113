"""Decoding of a matrix with its format's block decoder, all blocks of some rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_layout import blocks_in, entries
from fourcc.geometry import Geometry
from fourcc.part import Part
from fourcc.spec import FormatSpec

if TYPE_CHECKING:
    from fourcc.compute.block_arrays import MatrixPart

BATCH = 1 << 18  # weights that are decoded at a time
WIDEST_PADDED = 1 << 15  # columns of a block that a short row is filled up to; no wider one can be traced


BlockDecoder = Callable[..., None]


def decode_blocks_of(
    spec: FormatSpec, decode_block: BlockDecoder | None, taken: tuple[Part, ...], parts: Parts, geom: Geometry
) -> Floats:
    """The weights of a matrix, float32 (rows, cols), as the block decoder gives them.

    Args:
        spec: the format's declaration.
        decode_block: decodes one block.
        taken: the parts that it takes, in order.
        parts: of the matrix.
        geom: the matrix's.
    """
    assert decode_block is not None
    height = spec.block[0] or geom.rows
    step = height * max(1, BATCH // max(1, height * max(geom.cols, _padded_width(spec, geom))))
    w = np.empty((geom.rows, geom.cols), np.float32)
    for first in range(0, geom.rows, step):
        last = min(geom.rows, first + step)
        some = {part: part.cut(parts[part.name], first, last) for part in taken}
        _decode_rows(spec, decode_block, some, Geometry(last - first, geom.cols, geom.params), w[first:last])
    return w


def _padded_width(spec: FormatSpec, geom: Geometry) -> int:
    """Columns of a block as it is decoded; a parameter may make it so wide that only the row's own are."""
    width = spec.width(spec.with_defaults(geom.params)) or geom.cols
    return geom.cols if width > max(geom.cols, WIDEST_PADDED) and isinstance(spec.block[1], str) else width


def _decode_rows(
    spec: FormatSpec, decode_block: BlockDecoder, parts: Mapping[Part, Array], geom: Geometry, w: Floats
) -> None:
    """Writes the weights of some rows, (rows, cols)."""
    from fourcc.compute.block_arrays import MatrixPart, decode_blocks

    params = spec.with_defaults(geom.params)
    height, width = spec.block[0] or geom.rows, _padded_width(spec, geom)
    if width != spec.width(params) and isinstance(spec.block[1], str):
        params |= {spec.block[1]: width}
    arguments: list[Array | MatrixPart] = []
    for part, stored in parts.items():
        found = entries(part, stored, geom, height, width)
        arguments += map(MatrixPart, found) if part.reach == "matrix" else found
    blocks, whole = blocks_in(w, height, width)
    decode_blocks(decode_block, arguments, blocks.shape[1], params, out=blocks.T)
    if whole is not None:
        w[...] = whole(blocks)


def turned_back(back: Callable[[Floats, Parts, Geometry], Floats], w: Floats, parts: Parts, geom: Geometry) -> Floats:
    """The matrix's weights; the function may not change those that it gets, just as in a product."""
    given = w.view()
    given.flags.writeable = False
    with np.errstate(all="ignore"):  # a damaged file may hold any scale
        turned = back(given, parts, geom)
    return turned.copy() if isinstance(turned, np.ndarray) and not turned.flags.writeable else turned
