"""IQ4X, known as IQ4_XS: ggml's 4-bit super-block of unevenly spaced levels.

::

    block of 256 weights along a row, 136 bytes, 4.25 bits per weight
    byte   0    2            4              8                                        136
           d    scales_high  l0 l1 l2 l3    b0 ...                               b127
           f16  u16          scales' low    4-bit codes (runs of 16 bytes)
                             nibbles

    scale j belongs to weights 32 j ...; its low four bits are a nibble of l(j // 2), the low nibble for even j; its
    high two bits are bits 2 j .. of scales_high; it is stored with 32 added

Decode: w = (d * (scale - 32)) * LEVELS[q], in float32.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.searches.columns import as_groups, first_largest, rounded
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.levels import LEVELS, level_scale, nearest_level

BLOCK = 256
SUB = 32  # weights with one scale
SUBS = BLOCK // SUB
SCALE_ZERO = 32  # the code of scale 0


def decode_block(d: Array, scales_high: Array, scales_low: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        low, high = scales_low[sub // 2] >> 4 * (sub % 2) & 15, scales_high >> 2 * sub & 3
        some = slice(SUB * sub, SUB * sub + SUB)
        weights[some] = d * ((low | high << 4) - SCALE_ZERO) * LEVELS[q[some]]


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # d may be too large, or too small for 1 / d
def encode(blocks: Blocks) -> Parts:
    """Scales of both kinds, and indices 0 .. 15."""
    x, counted = as_groups(blocks.w, SUB), error_weights(blocks, blocks.w, times=2)  # (32, 8 blocks)
    scale = as_groups(level_scale(x, x * x if counted is None else as_groups(counted, SUB)), SUBS)  # (8, blocks)
    d = -first_largest(scale) / np.float32(SCALE_ZERO)
    inverse = np.where(d == 0, np.float32(0), 1 / d)
    scales = rounded(inverse * scale, -SCALE_ZERO, SCALE_ZERO - 1)
    scale = (d * scales).T.reshape(-1)  # (8 blocks,)
    inverse = np.where(scale == 0, np.float32(0), 1 / scale)
    return {"d": d, **pack_scales(scales), "q": nearest_level(inverse * x).T.reshape(-1, BLOCK)}


def pack_scales(scales: Array) -> Parts:
    """Scales -32 .. 31, (8, blocks), as they are stored."""
    stored = scales.T.astype(np.int8) + SCALE_ZERO  # (blocks, 8)
    high = (stored >> 4).astype(np.uint16) << np.arange(0, 2 * SUBS, 2, dtype=np.uint16)
    low = (stored & 15).astype(np.uint8)
    return {"scales_low": low[:, 0::2] | low[:, 1::2] << 4, "scales_high": np.bitwise_or.reduce(high, axis=1)}


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself plus a step, which is at most 1 / 19 of the largest weight: level 1 is nearly zero."""
    return np.abs(w) + largest(w, 1, BLOCK) / 16 + 127 * SCALE_ZERO * F16_LEAST


IQ4X = Format(
    tag="IQ4X",
    name="IQ4_XS",
    summary="ggml's 4-bit non-linear codebook in super-blocks of 256",
    block=BLOCK,
    parts=(
        record(
            "blocks",
            per_block("d", "f2"),
            per_block("scales_high", "u2"),
            per_block("scales_low", "u1", SUBS // 2),
            packed("q", bits=4, run=16),
        ),
    ),
    uses=frozenset({"importance"}),
    foreign={"ggml": 23},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.iq4x:KERNEL",
    bound=bound,
)
