"""Q8_G: 8-bit codes with a float32 scale for each group along a row; a parameter gives the group's length.

::

    scales   (rows, ceil(cols / group)) float32
    q        (rows, cols) int8                    -127 .. 127

Decode: w = scale * q, in float32. Encode: scale = max |w| / 127 and q = w / scale, rounded half to even; all in
float32, as in llama2.c's version 2. The last group of a row may be short.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, per_block, per_weight
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, largest
from fourcc.formats.layouts.groups import group_setting

GROUP = group_setting(64)
TOP = 127  # the largest code
LARGEST = np.float32(float.fromhex("0x1.020406p121"))  # of scales: 127 times the next float32 is infinite


def decode_block(scales: Array, q: Array, weights: Array, group: int) -> None:
    """Decodes one group."""
    weights[:] = scales * q


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes -127 .. 127."""
    scale = finite_scale(np.abs(blocks.w).max(axis=1))  # (blocks,)
    return {"scales": scale, "q": nearest_codes(blocks.w, scale[:, None])}


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
    top = largest(w, 1, geom.params["group"])
    return top * (1 / 254 + 4 * F32_ULP) + 64 * F32_LEAST


Q8_G = Format(
    tag="Q8_G",
    summary="8-bit codes, one float32 scale for a group of any size along a row",
    block=(1, GROUP.name),
    parts=(per_block("scales", "f4"), per_weight("q", "i1")),
    params=(GROUP,),
    foreign={"llama2.c": "int8 groups"},
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)
