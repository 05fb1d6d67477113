"""Q3_K: ggml's 3-bit super-block.

::

    block of 256 weights along a row, 110 bytes, 3.4375 bits per weight
    byte   0                32              96              108  110
           h0 ...      h31  b0 ...     b63  s0 ...     s11  d
           top bits         low two bits    16 scales of    f16
           (runs of 32)     (runs of 32)    6 bits

    scale j belongs to weights 16 j ...; its low four bits are a nibble of byte j % 8 of the twelve, the low nibble for
    j < 8; its high two bits are bits 2 (j // 4) .. of byte 8 + j % 4; it is stored plus 32

Decode: w = (d * (scale - 32)) * (q - 4), in float32, with q = 4 * top bit + low bits.
"""

from collections.abc import Mapping

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.error_bounds import F16_LEAST
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.columns import as_groups, ordered_sum
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.scale_search import nearest_signed_codes, refined_scale, signed_scale
from fourcc.formats.searches.super_scales import largest_of_either_sign
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 256
SUB = 16  # weights with one scale
SUBS = BLOCK // SUB
ZERO_POINT = 4  # the code of weight 0
SCALE_ZERO = 32  # the code of scale 0
FIELDS = (("high", "|u1", (BLOCK // 8,)), ("q", "|u1", (BLOCK // 4,)), ("scales", "|u1", (12,)), ("d", "<f2", ()))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 7, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], 32, 2) | unpacked(blocks["high"], 32, 1) << 2
    return q.reshape(geom.rows, geom.cols)


def unpack_scales(stored: Array) -> Array:
    """The scales, 0 .. 63: uint8 (..., 12) -> uint8 (..., 16)."""
    scales: Array = unpacked(stored[..., :8], 8, 4) | unpacked(stored[..., 8:], 4, 2) << 4
    return scales


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    scale = unpack_scales(blocks["scales"]).astype(np.float32)  # (rows, cols / 256, 16)
    scale -= SCALE_ZERO
    scale *= blocks["d"].astype(np.float32)[..., None]
    w = codes(parts, geom).astype(np.float32)
    w -= ZERO_POINT
    w.reshape(*scale.shape, SUB)[...] *= scale[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    stored = blocks["scales"]
    for sub in range(SUBS):
        low, high = stored[sub % 8] >> 4 * (sub // 8) & 15, stored[8 + sub % 4] >> 2 * (sub // 4) & 3
        scale = blocks["d"][0] * ((low | high << 4) - SCALE_ZERO)
        for j in range(SUB * sub, SUB * sub + SUB):
            code = blocks["q"][32 * (j // 128) + j % 32] >> 2 * (j % 128 // 32) & 3
            top = blocks["high"][j % 32] >> j // 32 & 1
            weights[j] = scale * ((code | top << 2) - ZERO_POINT)


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 256)."""
    tile, aids = blocks.rows, blocks.aids
    weights = error_weights(tile, aids, run=BLOCK, times=2, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 256) into blocks (n,)."""
    x = as_groups(w, SUB)  # (16, 16 n)
    if weights is None:
        scale, codes = refined_scale(x, ZERO_POINT)
        d, scales = largest_of_either_sign(as_groups(scale, SUBS), -SCALE_ZERO, SCALE_ZERO - 1)
        scales[:, d == 0] = -SCALE_ZERO
    else:
        counted = as_groups(weights, SUB)
        scale, codes = signed_scale(x, counted, ZERO_POINT)
        total = as_groups(ordered_sum(counted), SUBS)
        d, scales = signed_scale(as_groups(scale, SUBS), total, SCALE_ZERO)
    blocks["d"], blocks["scales"] = d, pack_scales(scales.T + SCALE_ZERO)
    stored = blocks["d"].astype(np.float32) * scales  # (16, n)
    nearest = nearest_signed_codes(x, stored.T.reshape(-1), codes, ZERO_POINT).T.reshape(-1, BLOCK)
    q = (nearest + ZERO_POINT).astype(np.uint8)
    blocks["q"], blocks["high"] = packed(q & 3, 32, 2), packed(q >> 2, 32, 1)


def pack_scales(scales: Array) -> Array:
    """The inverse of `unpack_scales`: (..., 16), below 64 -> uint8 (..., 12)."""
    scales = scales.astype(np.uint8)
    return np.concatenate([packed(scales & 15, 8, 4), packed(scales >> 4, 4, 2)], axis=-1)


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself: 0 is one of the values among which the nearest is taken."""
    return np.abs(w) * (1 + 2**-20) + F16_LEAST


Q3_K = Format(
    tag="Q3_K",
    name="Q3_K",
    summary="ggml's 3-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 11},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q3_k:KERNEL",
    bound=bound,
)
