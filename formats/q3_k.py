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

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST
from fourcc.formats.searches.columns import as_float16, as_groups, ordered_sum
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.scale_search import nearest_signed_codes, refined_scale, signed_scale
from fourcc.formats.searches.super_scales import largest_of_either_sign

BLOCK = 256
SUB = 16  # weights with one scale
SUBS = BLOCK // SUB
ZERO_POINT = 4  # the code of weight 0
SCALE_ZERO = 32  # the code of scale 0


def decode_block(high: Array, q: Array, scales: Array, d: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        some = slice(SUB * sub, SUB * sub + SUB)
        weights[some] = d * (scale_of(scales, sub) - SCALE_ZERO) * ((q[some] | high[some] << 2) - ZERO_POINT)


def scale_of(stored: Array, j: int) -> Array:
    """Scale j, 0 .. 63, of 12 bytes, which come first."""
    low, high = stored[j % 8] >> 4 * (j // 8) & 15, stored[8 + j % 4] >> 2 * (j // 4) & 3
    scale: Array = low | high << 4
    return scale


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 7, uint8 (rows, cols)."""
    fields = Q3_K.unpacked(parts, geom)
    q: Array = fields["q"] | fields["high"] << 2
    return q


def with_codes(parts: Parts, codes: Array, _: Geometry) -> Parts:
    """The parts with other codes."""
    return Q3_K.repacked(parts, {"q": codes & 3, "high": codes >> 2})


@np.errstate(invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def encode(blocks: Blocks) -> Parts:
    """Scales of both kinds, and codes 0 .. 7."""
    x, given = as_groups(blocks.w, SUB), error_weights(blocks, blocks.w, times=2)  # (16, 16 blocks)
    if given is None:
        scale, codes = refined_scale(x, ZERO_POINT)
        d, scales = largest_of_either_sign(as_groups(scale, SUBS), -SCALE_ZERO, SCALE_ZERO - 1)
        scales[:, d == 0] = -SCALE_ZERO
    else:
        counted = as_groups(given, SUB)
        scale, codes = signed_scale(x, counted, ZERO_POINT)
        d, scales = signed_scale(as_groups(scale, SUBS), as_groups(ordered_sum(counted), SUBS), SCALE_ZERO)
    stored = as_float16(d) * scales  # (16, blocks)
    nearest = nearest_signed_codes(x, stored.T.reshape(-1), codes, ZERO_POINT).T.reshape(-1, BLOCK)
    q = (nearest + ZERO_POINT).astype(np.uint8)
    return {"high": q >> 2, "q": q & 3, "scales": pack_scales(scales.T + SCALE_ZERO), "d": d}


def pack_scales(scales: Array) -> Array:
    """Scales below 64, (blocks, 16), as they are stored: uint8 (blocks, 12)."""
    scales = scales.astype(np.uint8)
    low, high = scales & 15, scales >> 4
    fours = high[:, :4] | high[:, 4:8] << 2 | high[:, 8:12] << 4 | high[:, 12:] << 6
    return np.concatenate([low[:, :8] | low[:, 8:] << 4, fours], axis=1)


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself: 0 is one of the values among which the nearest is taken."""
    return np.abs(w) * (1 + 2**-20) + F16_LEAST


BLOCKS = record(
    "blocks",
    packed("high", bits=1, run=32),
    packed("q", bits=2, run=32),
    per_block("scales", "u1", 12),
    per_block("d", "f2"),
)
Q3_K = Format(
    tag="Q3_K",
    summary="ggml's 3-bit super-blocks of 256",
    block=BLOCK,
    parts=(BLOCKS,),
    uses=frozenset({"importance"}),
    foreign={"ggml": 11},
    encode=encode,
    decode_block=decode_block,
    codes=codes,
    with_codes=with_codes,
    code_range=(0, 7),
    kernel="fourcc.kernels.q3_k:KERNEL",
    bound=bound,
)
