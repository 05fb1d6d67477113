"""IQ4N, known as IQ4_NL: ggml's 4-bit block of unevenly spaced levels.

::

    block of 32 weights along a row, 18 bytes, 4.5 bits per weight
    byte   0   2                                            18
           d   b0 b1 ...                                    b15
           f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * LEVELS[q], in float32.
"""

from collections.abc import Mapping

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.columns import as_groups
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.levels import LEVELS, level_scale, nearest_level
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 32
HALF = BLOCK // 2
FIELDS = (("d", "<f2", ()), ("q", "|u1", (HALF,)))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored indices, 0 .. 15, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], HALF, 4).reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    d = parts["blocks"]["d"].astype(np.float32)  # (rows, cols / 32)
    w = LEVELS[codes(parts, geom)]
    w.reshape(*d.shape, BLOCK)[...] *= d[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    for j in range(HALF):
        pair = blocks["q"][j]
        weights[j] = blocks["d"][0] * LEVELS[pair & 15]
        weights[j + HALF] = blocks["d"][0] * LEVELS[pair >> 4]


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    tile, aids = blocks.rows, blocks.aids
    weights = error_weights(tile, aids, run=BLOCK, times=2, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 32) into blocks (n,)."""
    x = as_groups(w, BLOCK)  # (32, n)
    d = level_scale(x, x * x if weights is None else as_groups(weights, BLOCK))
    inverse = np.where(d == 0, np.float32(0), 1 / d)
    blocks["d"] = d
    blocks["q"] = packed(nearest_level(inverse * x).T, HALF, 4)


def bound(w: Array, geom: Geometry) -> Array:
    """The weight itself plus a step, which is at most 1 / 19 of the largest weight: level 1 is nearly zero."""
    return np.abs(w) + largest(w, 1, BLOCK) / 16 + 127 * F16_LEAST


IQ4N = Format(
    tag="IQ4N",
    name="IQ4_NL",
    summary="ggml's 4-bit non-linear codebook in blocks of 32",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 20},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.iq4n:KERNEL",
    bound=bound,
)
