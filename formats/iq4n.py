"""IQ4N, known as IQ4_NL: ggml's 4-bit block of unevenly spaced levels.

::

    block of 32 weights along a row, 18 bytes, 4.5 bits per weight
    byte   0   2                                            18
           d   b0 b1 ...                                    b15
           f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * LEVELS[q], in float32.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.searches.columns import as_groups
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.levels import LEVELS, level_scale, nearest_level

BLOCK = 32


def decode_block(d: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * LEVELS[q]


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # d may be too large, or too small for 1 / d
def encode(blocks: Blocks) -> Parts:
    """Scales, and indices 0 .. 15."""
    x, counted = as_groups(blocks.w, BLOCK), error_weights(blocks, blocks.w, times=2)  # (32, blocks)
    d = level_scale(x, x * x if counted is None else as_groups(counted, BLOCK))
    inverse = np.where(d == 0, np.float32(0), 1 / d)
    return {"d": d, "q": nearest_level(inverse * x).T}


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself plus a step, which is at most 1 / 19 of the largest weight: level 1 is nearly zero."""
    return np.abs(w) + largest(w, 1, BLOCK) / 16 + 127 * F16_LEAST


IQ4N = Format(
    tag="IQ4N",
    name="IQ4_NL",
    summary="ggml's 4-bit non-linear codebook in blocks of 32",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), packed("q", bits=4, run=16)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 20},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.iq4n:KERNEL",
    bound=bound,
)
