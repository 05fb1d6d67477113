"""F8_G: 8-bit floats (E4M3) with a float32 scale for each group along a row; a parameter gives the group's length.

::

    scales   (rows, ceil(cols / group)) float32
    values   (rows, cols) uint8                   S EEEE MMM, exponent bias 7

Decode: w = scale * number, in float32. Encode: scale = max |w| / 448 and the number nearest to w / scale, ties to even;
all in float32. The last group of a row may be short. Files with a scale for a block of several rows, for a row or for
the whole matrix are read with that scale in every group that it covers.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, per_block, per_weight
from fourcc.formats.layouts.e4m3 import LARGEST, nearest, numbers
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, largest
from fourcc.formats.layouts.groups import group_setting

GROUP = group_setting(128)


def decode_block(scales: Array, values: Array, weights: Array, group: int) -> None:
    """Decodes one group."""
    weights[:] = scales * numbers(values)


def encode(blocks: Blocks) -> Parts:
    """Scales, and the bytes of E4M3."""
    scale: Floats = np.abs(blocks.w).max(axis=1) / np.float32(LARGEST)  # (blocks,); 448 times it is always finite
    quotient = blocks.w / np.where(scale == 0, np.float32(np.inf), scale)[:, None]
    return {"scales": scale, "values": nearest(quotient)}


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of the weight's power of two, or of the least one; roundings; a denormal scale is off by 2^-150."""
    top = largest(w, 1, geom.params["group"])
    return np.abs(w) / 16 + top * (2.0**-10 / LARGEST + 4 * F32_ULP) + 512 * F32_LEAST


F8_G = Format(
    tag="F8_G",
    name="FP8_G",
    summary="8-bit floats (E4M3), one float32 scale for a group of any size along a row",
    block=(1, GROUP.name),
    parts=(per_block("scales", "f4"), per_weight("values", "u1")),
    params=(GROUP,),
    foreign={"weight-only": "float8 groups"},
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)
