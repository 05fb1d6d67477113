"""Q6_K: ggml's 6-bit super-block.

::

    block of 256 weights along a row, 210 bytes, 6.5625 bits per weight
    byte   0                 128               192                 208  210
           b0 ...      b127  h0 ...       h63  s0 ...         s15  d
           low four bits     high two bits     int8, scale of      f16
           (runs of          (runs of          weights 16 j ...
           64 bytes)         32 bytes)

Decode: w = (d * scale) * (q - 32), in float32, with q = 16 * high bits + low bits.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST
from fourcc.formats.searches.columns import NOTHING, as_float16, as_groups
from fourcc.formats.searches.scale_search import nearest_signed_codes, signed_scale
from fourcc.formats.searches.super_scales import largest_of_either_sign

BLOCK = 256
SUB = 16  # weights with one scale
SUBS = BLOCK // SUB
ZERO_POINT = 32  # the code of weight 0


def decode_block(q: Array, high: Array, scales: Array, d: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        some = slice(SUB * sub, SUB * sub + SUB)
        weights[some] = d * scales[sub] * ((q[some] | high[some] << 4) - ZERO_POINT)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 63, uint8 (rows, cols)."""
    fields = Q6_K.unpacked(parts, geom)
    q: Array = fields["q"] | fields["high"] << 4
    return q


def with_codes(parts: Parts, codes: Array, _: Geometry) -> Parts:
    """The parts with other codes."""
    return Q6_K.repacked(parts, {"q": codes & 15, "high": codes >> 4})


@np.errstate(invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def encode(blocks: Blocks) -> Parts:
    """Scales of both kinds, and codes 0 .. 63; a block of (almost) zeros is all zeros."""
    x = as_groups(blocks.w, SUB)  # (16, 16 blocks)
    counted = x * x if blocks.importance is None else as_groups(blocks.importance, SUB)
    scale, codes = signed_scale(x, counted, ZERO_POINT)
    scale = as_groups(scale, SUBS)  # (16, blocks)
    zero = np.abs(scale).max(axis=0) < NOTHING
    scale[:, zero] = 0
    d, scales = largest_of_either_sign(scale, -128, 127)
    stored = as_float16(d) * scales  # (16, blocks)
    nearest = nearest_signed_codes(x, stored.T.reshape(-1), codes, ZERO_POINT).T.reshape(-1, BLOCK)
    q = (nearest + ZERO_POINT).astype(np.uint8)
    q[zero], scales[:, zero], d[zero] = 0, 0, 0
    return {"q": q & 15, "high": q >> 4, "scales": scales.T.astype(np.int8), "d": d}


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself: 0 is one of the values among which the nearest is taken."""
    return np.abs(w) * (1 + 2**-20) + F16_LEAST


BLOCKS = record(
    "blocks",
    packed("q", bits=4, run=64),
    packed("high", bits=2, run=32),
    per_block("scales", "i1", SUBS),
    per_block("d", "f2"),
)
Q6_K = Format(
    tag="Q6_K",
    summary="ggml's 6-bit super-blocks of 256",
    block=BLOCK,
    parts=(BLOCKS,),
    uses=frozenset({"importance"}),
    foreign={"ggml": 14},
    encode=encode,
    decode_block=decode_block,
    codes=codes,
    with_codes=with_codes,
    code_range=(0, 63),
    kernel="fourcc.kernels.q6_k:KERNEL",
    bound=bound,
)
