"""IQ4X, known as IQ4_XS: ggml's 4-bit super-block of unevenly spaced levels.

::

    block of 256 weights along a row, 136 bytes, 4.25 bits per weight
    byte   0    2            4              8                                        136
           d    scales_high  l0 l1 l2 l3    b0 ...                               b127
           f16  u16          scales' low    4-bit codes (bit_fields, runs of 16)
                             nibbles

    scale j belongs to weights 32 j ...; its low four bits are a nibble of l(j // 2), the low nibble for even j; its
    high two bits are bits 2 j .. of scales_high; it is stored with 32 added

Decode: w = (d * (scale - 32)) * LEVELS[q], in float32.
"""

from collections.abc import Mapping

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.columns import as_groups, first_largest, rounded
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.levels import LEVELS, level_scale, nearest_level
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 256
SUB = 32  # weights with one scale
HALF = SUB // 2
SUBS = BLOCK // SUB
SCALE_ZERO = 32  # the code of scale 0
FIELDS = (
    ("d", "<f2", ()),
    ("scales_high", "<u2", ()),
    ("scales_low", "|u1", (SUBS // 2,)),
    ("q", "|u1", (BLOCK // 2,)),
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored indices, 0 .. 15, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], HALF, 4).reshape(geom.rows, geom.cols)


def unpack_scales(blocks: Array) -> Array:
    """The scales, 0 .. 63: records (...) -> uint8 (..., 8)."""
    high = blocks["scales_high"][..., None] >> np.arange(0, 2 * SUBS, 2, dtype=np.uint16) & 3
    scales: Array = unpacked(blocks["scales_low"], 1, 4) | high.astype(np.uint8) << 4
    return scales


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    scale = unpack_scales(parts["blocks"]).astype(np.float32)  # (rows, cols / 256, 8)
    scale -= SCALE_ZERO
    scale *= parts["blocks"]["d"].astype(np.float32)[..., None]
    w = LEVELS[codes(parts, geom)]
    w.reshape(*scale.shape, SUB)[...] *= scale[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        low, high = blocks["scales_low"][sub // 2] >> 4 * (sub % 2) & 15, blocks["scales_high"][0] >> 2 * sub & 3
        scale = blocks["d"][0] * ((low | high << 4) - SCALE_ZERO)
        for j in range(HALF):
            pair = blocks["q"][HALF * sub + j]
            weights[SUB * sub + j] = scale * LEVELS[pair & 15]
            weights[SUB * sub + j + HALF] = scale * LEVELS[pair >> 4]


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 256)."""
    tile, aids = blocks.rows, blocks.aids
    weights = error_weights(tile, aids, run=BLOCK, times=2, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 256) into blocks (n,)."""
    x = as_groups(w, SUB)  # (32, 8 n)
    scale = as_groups(level_scale(x, x * x if weights is None else as_groups(weights, SUB)), SUBS)  # (8, n)
    d = -first_largest(scale) / np.float32(SCALE_ZERO)
    inverse = np.where(d == 0, np.float32(0), 1 / d)
    scales = rounded(inverse * scale, -SCALE_ZERO, SCALE_ZERO - 1)
    scale = (d * scales).T.reshape(-1)  # (8 n,)
    inverse = np.where(scale == 0, np.float32(0), 1 / scale)
    blocks["d"] = d
    pack_scales(blocks, (scales.T + SCALE_ZERO).astype(np.uint8))
    blocks["q"] = packed(nearest_level(inverse * x).T.reshape(-1, BLOCK), HALF, 4)


def pack_scales(blocks: Array, scales: Array) -> None:
    """The inverse of `unpack_scales`: stores scales uint8 (n, 8), below 64."""
    blocks["scales_low"] = packed(scales & 15, 1, 4)
    high = (scales >> 4).astype(np.uint16) << np.arange(0, 2 * SUBS, 2, dtype=np.uint16)
    blocks["scales_high"] = np.bitwise_or.reduce(high, axis=1)


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself plus a step, which is at most 1 / 19 of the largest weight: level 1 is nearly zero."""
    return np.abs(w) + largest(w, 1, BLOCK) / 16 + 127 * SCALE_ZERO * F16_LEAST


IQ4X = Format(
    tag="IQ4X",
    name="IQ4_XS",
    summary="ggml's 4-bit non-linear codebook in super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 23},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.iq4x:KERNEL",
    bound=bound,
)
