"""Q8_T: 8-bit codes with one float32 scale for the whole tensor.

::

    scale   (1,) float32           of the whole matrix
    q       (rows, cols) int8      -127 .. 127

Decode: w = scale * q, in float32. Encode: as for Q8_G, with the largest |w| of the matrix.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Original, Parts
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP
from fourcc.formats.layouts.extremes import extremes
from fourcc.formats.q8_g import finite_scale, nearest_codes
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 32  # columns that are decoded together; no part has an entry for them


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, int8 (rows, cols)."""
    return parts["q"]


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scale (1,) and codes (rows, cols) -> float32 (rows, cols)."""
    w = parts["q"].astype(np.float32)  # (rows, cols)
    w *= parts["scale"]
    return w


def decode_block(scale: Array, q: Array, weights: Array) -> None:
    """Decodes some columns."""
    for index in range(BLOCK):
        weights[index] = scale[0] * q[index]


def prepare(original: Original) -> Floats:
    """The scale, (1,)."""
    rows, geom = original.rows, original.geom
    return finite_scale(np.array([max(map(abs, extremes(rows, geom)))], np.float32))


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scale and codes."""
    tile, shared = blocks.rows, blocks.shared
    scale = np.asarray(shared, np.float32)
    return {"scale": scale, "q": nearest_codes(tile, scale)}


def bound(w: Array, geom: Geometry) -> Array:
    """The bound of Q8_G with the largest |w| of the matrix."""
    return np.full(w.shape, np.abs(w).max(initial=0) * (1 / 254 + 4 * F32_ULP) + 64 * F32_LEAST)


Q8_T = Format(
    tag="Q8_T",
    name="Q8_T",
    summary="8-bit codes, one float32 scale for the whole tensor",
    block=(1, BLOCK),
    parts=(
        Part("scale", "<f4", tail=lambda geom: (1,), rows=None),  # noqa: ARG005 - the seam's signature
        Part("q", "|i1", tail=lambda geom: (geom.cols,)),
    ),
    short_block=True,
    foreign={"llama2.c": "int8 tensor"},
    decode=decode,
    encode=encode,
    prepare=prepare,
    codes=codes,
    decode_block=decode_block,
    bound=bound,
)
