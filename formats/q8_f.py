"""Q8_F: 8-bit codes with a float32 scale for each group of the flattened matrix; groups run across the ends of rows.

::

    scales   (ceil(rows * cols / group),) float32   of the whole matrix
    q        (rows, cols) int8                      -127 .. 127

Decode: w = scale * q, in float32; the weight of row i and column j has scale (i * cols + j) // group. Encode: as Q8_G.
The whole matrix is one tile. The format is for files of llama2.c's version 2 whose group size does not divide the rows;
where it does, Q8_G holds the same weights and multiplies faster.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.group_param import count, group_of, group_setting
from fourcc.formats.q8_g import GROUP, finite_scale, nearest_codes
from fourcc.formats.q8_g import bound as bound_of_rows
from fourcc.geometry import Geometry
from fourcc.part import Part


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, int8 (rows, cols)."""
    return parts["q"]


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (groups,) and codes (rows, cols) -> float32 (rows, cols)."""
    w = parts["q"].astype(np.float32)  # (rows, cols)
    w *= _spread(parts["scales"], geom).reshape(w.shape)
    return w


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols), the whole matrix -> scales and codes."""
    tile, geom = blocks.rows, blocks.geom
    group, flat = group_of(geom, GROUP), tile.reshape(-1)
    firsts = np.arange(0, flat.size, group)
    scales = finite_scale(np.maximum.reduceat(np.abs(flat), firsts))  # (groups,)
    return {"scales": scales, "q": nearest_codes(tile, _spread(scales, geom).reshape(tile.shape))}


def _spread(scales: Floats, geom: Geometry) -> Floats:
    """The scale of each weight of the flattened matrix."""
    weights = geom.rows * geom.cols
    return np.repeat(scales, min(group_of(geom, GROUP), weights))[:weights]


def bound(w: Array, geom: Geometry) -> Array:
    """The bound of Q8_G for the matrix as one row."""
    return bound_of_rows(w.reshape(1, -1), Geometry(1, w.size, geom.params)).reshape(w.shape)


Q8_F = Format(
    tag="Q8_F",
    name="Q8_F",
    summary="8-bit codes, one float32 scale for a group of any size of the flattened matrix",
    block=(None, None),
    parts=(
        Part("scales", "<f4", tail=lambda geom: (count(geom.rows * geom.cols, group_of(geom, GROUP)),), rows=None),
        Part("q", "|i1", tail=lambda geom: (geom.cols,)),
    ),
    params=(group_setting(GROUP),),
    foreign={"llama2.c": "int8 flat groups"},
    decode=decode,
    encode=encode,
    codes=codes,
    bound=bound,
)
