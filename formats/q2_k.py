"""Q2_K: ggml's 2-bit super-block.

::

    block of 256 weights along a row, 84 bytes, 2.625 bits per weight
    byte   0                        16            80   82   84
           s0 s1 ...           s15  b0 ...   b63  d    dmin
           low nibble of sj: scale  2-bit codes   f16  f16
           of weights 16 j ...,     (bit_fields,
           high nibble: minimum     runs of 32)

Decode: w = (d * scale) * q - dmin * minimum, in float32. *Minimum* is ggml's word: the offset is -dmin * minimum.
"""

from collections.abc import Mapping

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.affine_search import Tries, affine_scale, nearest_codes, weighted_tries
from fourcc.formats.searches.columns import as_groups, ordered_sum
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.super_scales import scales_and_minima
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 256
SUB = 16  # weights with one scale and minimum
SUBS = BLOCK // SUB
TOP, SCALE_TOP = 3, 15  # largest code; largest scale, and largest minimum
TRIES = Tries(TOP, first=-0.5, step=0.1, last=15, absolute=True)
FIELDS = (("scales", "|u1", (SUBS,)), ("q", "|u1", (BLOCK // 4,)), ("d", "<f2", ()), ("dmin", "<f2", ()))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 3, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], 32, 2).reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore", over="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    scale = blocks["d"].astype(np.float32)[..., None] * (blocks["scales"] & 15)  # (rows, cols / 256, 16)
    minimum = blocks["dmin"].astype(np.float32)[..., None] * (blocks["scales"] >> 4)
    w = codes(parts, geom).astype(np.float32).reshape(*scale.shape, SUB)
    w *= scale[..., None]
    w -= minimum[..., None]
    return w.reshape(geom.rows, geom.cols)


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        scale = blocks["d"][0] * (blocks["scales"][sub] & 15)
        minimum = blocks["dmin"][0] * (blocks["scales"][sub] >> 4)
        for j in range(SUB * sub, SUB * sub + SUB):
            code = blocks["q"][32 * (j // 128) + j % 32] >> 2 * (j % 128 // 32) & 3
            weights[j] = scale * code - minimum


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 256)."""
    tile, aids = blocks.rows, blocks.aids
    weights = error_weights(tile, aids, run=BLOCK, times=1, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(invalid="ignore", over="ignore")  # d and dmin may be infinite in float16: refused
def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 256) into blocks (n,)."""
    x = as_groups(w, SUB)  # (16, 16 n)
    if weights is None:
        scale, offset, codes = affine_scale(x, np.abs(x), TRIES)
        total = None
    else:
        counted = as_groups(weights, SUB)
        scale, offset, codes = affine_scale(x, counted, weighted_tries(TOP))
        total = ordered_sum(counted)
    (d, scales), (dmin, minima) = scales_and_minima(scale, offset, total, SUBS, SCALE_TOP)
    blocks["d"], blocks["dmin"] = d, dmin
    blocks["scales"] = scales.T.astype(np.uint8) | minima.T.astype(np.uint8) << 4
    scale, offset = blocks["d"].astype(np.float32) * scales, -blocks["dmin"].astype(np.float32) * minima  # (16, n)
    q = nearest_codes(x, scale.T.reshape(-1), offset.T.reshape(-1), codes, TOP)
    blocks["q"] = packed(q.T.reshape(-1, BLOCK), 32, 2)


def bound(w: Array, geom: Geometry) -> Array:
    """Twice the largest weight of the block; the page says why."""
    return 2 * largest(w, 1, BLOCK) + 64 * F16_LEAST


Q2_K = Format(
    tag="Q2_K",
    name="Q2_K",
    summary="ggml's 2-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 10},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q2_k:KERNEL",
    bound=bound,
)
