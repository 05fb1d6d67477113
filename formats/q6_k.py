"""Q6_K: ggml's 6-bit super-block.

::

    block of 256 weights along a row, 210 bytes, 6.5625 bits per weight
    byte   0                 128               192                 208  210
           b0 ...      b127  h0 ...       h63  s0 ...         s15  d
           low four bits     high two bits     int8, scale of      f16
           (bit_fields,      (bit_fields,      weights 16 j ...
           runs of 64)       runs of 32)

Decode: w = (d * scale) * (q - 32), in float32, with q = 16 * high bits + low bits.
"""

from collections.abc import Mapping

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.error_bounds import F16_LEAST
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.columns import NOTHING, as_groups
from fourcc.formats.searches.importance import column_importance
from fourcc.formats.searches.scale_search import nearest_signed_codes, signed_scale
from fourcc.formats.searches.super_scales import largest_of_either_sign
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 256
SUB = 16  # weights with one scale
SUBS = BLOCK // SUB
ZERO_POINT = 32  # the code of weight 0
FIELDS = (("q", "|u1", (BLOCK // 2,)), ("high", "|u1", (BLOCK // 4,)), ("scales", "|i1", (SUBS,)), ("d", "<f2", ()))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 63, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], 64, 4) | unpacked(blocks["high"], 32, 2) << 4
    return q.reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    scale = blocks["d"].astype(np.float32)[..., None] * blocks["scales"]  # (rows, cols / 256, 16)
    w = codes(parts, geom).astype(np.float32)
    w -= ZERO_POINT
    w.reshape(*scale.shape, SUB)[...] *= scale[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        scale = blocks["d"][0] * blocks["scales"][sub]
        for j in range(SUB * sub, SUB * sub + SUB):
            half, quarter = j // 128, j % 128 // 32
            code = blocks["q"][64 * half + j % 64] >> 4 * (quarter // 2) & 15
            high = blocks["high"][32 * half + j % 32] >> 2 * quarter & 3
            weights[j] = scale * ((code | high << 4) - ZERO_POINT)


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 256)."""
    tile, aids = blocks.rows, blocks.aids
    weights = column_importance(tile, aids, BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 256) into blocks (n,)."""
    x = as_groups(w, SUB)  # (16, 16 n)
    scale, codes = signed_scale(x, x * x if weights is None else as_groups(weights, SUB), ZERO_POINT)
    scale = as_groups(scale, SUBS)  # (16, n)
    zero = np.abs(scale).max(axis=0) < NOTHING
    scale[:, zero] = 0
    d, scales = largest_of_either_sign(scale, -128, 127)
    blocks["d"], blocks["scales"] = d, scales.T
    stored = blocks["d"].astype(np.float32) * scales  # (16, n)
    nearest = nearest_signed_codes(x, stored.T.reshape(-1), codes, ZERO_POINT).T.reshape(-1, BLOCK)
    q = (nearest + ZERO_POINT).astype(np.uint8)
    blocks["q"], blocks["high"] = packed(q & 15, 64, 4), packed(q >> 4, 32, 2)
    blocks[zero] = np.zeros((), blocks.dtype)


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself: 0 is one of the values among which the nearest is taken."""
    return np.abs(w) * (1 + 2**-20) + F16_LEAST


Q6_K = Format(
    tag="Q6_K",
    name="Q6_K",
    summary="ggml's 6-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 14},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q6_k:KERNEL",
    bound=bound,
)
