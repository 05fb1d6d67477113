"""NF4: sixteen quantiles of the normal distribution, a float32 scale for each 64 weights of a row.

::

    scales   (rows, ceil(cols / 64)) float32   the largest |w| of the block
    q        (rows, ceil(cols / 2)) uint8      high nibble: code of the even column; low nibble: of the odd one

Decode: w = scale * LEVELS[code], in float32. The last block of a row may be short. Where 64 divides the columns, the
bytes are those of bitsandbytes.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.error_bounds import F32_LEAST, largest
from fourcc.formats.layouts.row_blocks import row_blocks
from fourcc.geometry import Geometry
from fourcc.nibbles import high_first, pack_high_first
from fourcc.part import Part

BLOCK = 64
BELOW = (-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453)
BELOW_ZERO = (-0.28444138169288635, -0.18477343022823334, -0.09105003625154495)
ABOVE_ZERO = (0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224)
ABOVE = (0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1)
LEVELS = np.array([*BELOW, *BELOW_ZERO, 0, *ABOVE_ZERO, *ABOVE], np.float32)
BORDERS = ((LEVELS[1:].astype(np.float64) + LEVELS[:-1]) / 2).astype(np.float32)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored codes, 0 .. 15, uint8 (rows, cols)."""
    return high_first(parts["q"], geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (rows, blocks) and nibbles (rows, cols / 2) -> float32 (rows, cols)."""
    w = LEVELS[codes(parts, geom)]
    for run in row_blocks(geom.cols, BLOCK):
        scales = parts["scales"][:, run.blocks, None]  # (rows, blocks, 1)
        inside = w[:, run.columns].reshape(geom.rows, run.count, run.width) * scales
        w[:, run.columns] = inside.reshape(geom.rows, run.count * run.width)
    return w


def decode_block(scales: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    for pair in range(BLOCK // 2):
        weights[2 * pair] = scales[0] * LEVELS[q[pair] >> 4]
        weights[2 * pair + 1] = scales[0] * LEVELS[q[pair] & 15]


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scales and nibbles."""
    tile, geom = blocks.rows, blocks.geom
    scales = np.empty((geom.rows, -(-geom.cols // BLOCK)), np.float32)
    q = np.empty((geom.rows, geom.cols), np.uint8)
    for run in row_blocks(geom.cols, BLOCK):
        w = tile[:, run.columns].reshape(geom.rows, run.count, run.width)
        scale = np.abs(w).max(axis=2)  # (rows, blocks)
        scales[:, run.blocks] = scale
        share = np.divide(w, scale[..., None], out=np.zeros_like(w), where=scale[..., None] > 0)
        q[:, run.columns] = nearest_level(share).reshape(geom.rows, run.count * run.width)
    return {"scales": scales, "q": pack_high_first(q)}


def nearest_level(share: Floats) -> Array:
    """The code of the nearest level, uint8 of the same shape; ties go to the lower level."""
    codes = np.zeros(share.shape, np.uint8)
    for border in BORDERS:
        codes += share > border
    return codes


def bound(w: Array, geom: Geometry) -> Array:
    """Half the widest gap between two levels, which is the lowest gap."""
    return largest(w, 1, BLOCK) * ((1 + BELOW[1]) / 2 + 2**-20) + F32_LEAST


NF4 = Format(
    tag="NF4",
    name="NF4",
    summary="4-bit codebook of normal quantiles in blocks of 64",
    block=(1, BLOCK),
    parts=(
        Part("scales", "<f4", tail=lambda geom: (-(-geom.cols // BLOCK),)),
        Part("q", "|u1", tail=lambda geom: (-(-geom.cols // 2),)),
    ),
    short_block=True,
    foreign={"bitsandbytes": "nf4"},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    bound=bound,
)
