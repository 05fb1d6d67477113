"""Q8_G: 8-bit codes with a float32 scale for each group along a row; a parameter gives the group's length.

::

    scales   (rows, ceil(cols / group)) float32
    q        (rows, cols) int8                    -127 .. 127

Decode: w = scale * q, in float32. Encode: scale = max |w| / 127 and q = w / scale, rounded half to even; all in
float32, as in llama2.c's version 2. The last group of a row may be short.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, largest
from fourcc.formats.layouts.group_param import PARAM, count, group_of, group_setting, spread
from fourcc.formats.layouts.row_blocks import row_blocks
from fourcc.geometry import Geometry
from fourcc.part import Part

GROUP = 64
TOP = 127  # the largest code
LARGEST = np.float32(float.fromhex("0x1.020406p121"))  # of scales: 127 times the next float32 is infinite


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, int8 (rows, cols)."""
    return parts["q"]


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (rows, groups) and codes (rows, cols) -> float32 (rows, cols)."""
    w = parts["q"].astype(np.float32)  # (rows, cols)
    w *= spread(parts["scales"], group_of(geom, GROUP), geom.cols)
    return w


def decode_block(scales: Array, q: Array, weights: Array, group: int) -> None:
    """Decodes one group."""
    for index in range(group):
        weights[index] = scales[0] * q[index]


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scales and codes."""
    tile, geom = blocks.rows, blocks.geom
    group = group_of(geom, GROUP)
    scales = np.empty((geom.rows, count(geom.cols, group)), np.float32)
    q = np.empty((geom.rows, geom.cols), np.int8)
    for run in row_blocks(geom.cols, group):
        w = tile[:, run.columns].reshape(geom.rows, run.count, run.width)  # (rows, groups, group or fewer)
        scale = finite_scale(np.abs(w).max(axis=2))  # (rows, groups)
        scales[:, run.blocks] = scale
        q[:, run.columns] = nearest_codes(w, scale[..., None]).reshape(geom.rows, run.count * run.width)
    return {"scales": scales, "q": q}


def finite_scale(peak: Floats) -> Floats:
    """The scale with which the largest |w| has code 127, limited so that every decoded weight is finite."""
    scale: Floats = np.minimum(peak / np.float32(TOP), LARGEST)
    return scale


def nearest_codes(w: Floats, scale: Array) -> Array:
    """The quotient w / scale, rounded half to even and clamped to -127 .. 127; 0 where the scale is 0.

    Args:
        w: weights.
        scale: float32, broadcasts against w; a small one that was rounded down would give codes beyond 127.
    """
    quotient = w / np.where(scale == 0, np.float32(np.inf), scale)
    np.clip(np.rint(quotient, out=quotient), -TOP, TOP, out=quotient)
    return quotient.astype(np.int8)


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of max |w| / 127, the roundings of scale, quotient and product; a denormal scale is off by 2^-150."""
    top = largest(w, 1, min(group_of(geom, GROUP), max(1, geom.cols)))
    return top * (1 / 254 + 4 * F32_ULP) + 64 * F32_LEAST


Q8_G = Format(
    tag="Q8_G",
    name="Q8_G",
    summary="8-bit codes, one float32 scale for a group of any size along a row",
    block=(1, PARAM),
    parts=(
        Part("scales", "<f4", tail=lambda geom: (count(geom.cols, group_of(geom, GROUP)),)),
        Part("q", "|i1", tail=lambda geom: (geom.cols,)),
    ),
    params=(group_setting(GROUP),),
    short_block=True,
    foreign={"llama2.c": "int8 groups"},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    bound=bound,
)
