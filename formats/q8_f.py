"""Q8_F: 8-bit codes with a float32 scale for each group of the flattened matrix; groups run across the ends of rows.

::

    scales   (ceil(rows * cols / group),) float32   of the whole matrix
    q        (rows, cols) int8                      -127 .. 127

Decode: w = scale * q, in float32; the weight of row i and column j has scale (i * cols + j) // group. Encode: as Q8_G.
The whole matrix is one tile. The format is for files of llama2.c's version 2 whose group size does not divide the rows;
where it does, Q8_G holds the same weights and multiplies faster.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Part, Parts, per_weight
from fourcc.formats.q8_g import GROUP, finite_scale, nearest_codes
from fourcc.formats.q8_g import bound as bound_of_rows


def groups(geom: Geometry) -> tuple[int]:
    """How many groups the flattened matrix has; the last may be short."""
    return (-(-geom.rows * geom.cols // geom.params["group"]),)


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (groups,) and codes (rows, cols) -> float32 (rows, cols)."""
    w = parts["q"].astype(np.float32)  # (rows, cols)
    w *= _spread(parts["scales"], geom)
    return w


def encode(blocks: Blocks) -> Parts:
    """Scales of the whole matrix, which is one block, and codes -127 .. 127."""
    flat, geom = blocks.rows.reshape(-1), blocks.geom
    peak = np.maximum.reduceat(np.abs(flat), np.arange(0, flat.size, geom.params["group"]))
    scales = finite_scale(peak)  # (groups,)
    return {"scales": scales, "q": nearest_codes(flat, _spread(scales, geom).reshape(-1))[None]}


def _spread(scales: Floats, geom: Geometry) -> Floats:
    """The scale of each weight, (rows, cols)."""
    weights = geom.rows * geom.cols
    return np.repeat(scales, min(geom.params["group"], weights))[:weights].reshape(geom.rows, geom.cols)


def bound(w: Array, geom: Geometry) -> Array:
    """The bound of Q8_G for the matrix as one row."""
    return bound_of_rows(w.reshape(1, -1), Geometry(1, w.size, geom.params)).reshape(w.shape)


Q8_F = Format(
    tag="Q8_F",
    summary="8-bit codes, one float32 scale for a group of any size of the flattened matrix",
    block=(None, None),
    parts=(Part("scales", "f4", tail=groups, rows=None), per_weight("q", "i1")),
    params=(GROUP,),
    foreign={"llama2.c": "int8 flat groups"},
    decode=decode,
    encode=encode,
    bound=bound,
)
