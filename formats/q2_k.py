"""Q2_K: ggml's 2-bit super-block.

::

    block of 256 weights along a row, 84 bytes, 2.625 bits per weight
    byte   0                        16            80   82   84
           s0 s1 ...           s15  b0 ...   b63  d    dmin
           low nibble of sj: scale  2-bit codes   f16  f16
           of weights 16 j ...,     (runs of
           high nibble: minimum     32 bytes)

Decode: w = (d * scale) * q - dmin * minimum, in float32. *Minimum* is ggml's word: the offset is -dmin * minimum.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.searches.affine_search import Tries, affine_scale, nearest_codes, weighted_tries
from fourcc.formats.searches.columns import as_float16, as_groups, ordered_sum
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.super_scales import scales_and_minima

BLOCK = 256
SUB = 16  # weights with one scale and minimum
SUBS = BLOCK // SUB
TOP, SCALE_TOP = 3, 15  # largest code; largest scale, and largest minimum
TRIES = Tries(TOP, first=-0.5, step=0.1, last=15, absolute=True)


def decode_block(scales: Array, q: Array, d: Array, dmin: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        some = slice(SUB * sub, SUB * sub + SUB)
        weights[some] = d * (scales[sub] & 15) * q[some] - dmin * (scales[sub] >> 4)


@np.errstate(invalid="ignore", over="ignore")  # d and dmin may be infinite in float16: refused
def encode(blocks: Blocks) -> Parts:
    """Scales of both kinds, and codes 0 .. 3."""
    x, given = as_groups(blocks.w, SUB), error_weights(blocks, blocks.w, times=1)  # (16, 16 blocks)
    counted = np.abs(x) if given is None else as_groups(given, SUB)
    scale, offset, codes = affine_scale(x, counted, TRIES if given is None else weighted_tries(TOP))
    total = None if given is None else ordered_sum(counted)
    (d, scales), (dmin, minima) = scales_and_minima(scale, offset, total, SUBS, SCALE_TOP)
    scale, offset = as_float16(d) * scales, -as_float16(dmin) * minima  # (16, blocks)
    q = nearest_codes(x, scale.T.reshape(-1), offset.T.reshape(-1), codes, TOP).T.reshape(-1, BLOCK)
    packed_scales = scales.T.astype(np.uint8) | minima.T.astype(np.uint8) << 4
    return {"scales": packed_scales, "q": q.astype(np.uint8), "d": d, "dmin": dmin}


def bound(w: Array, geom: Geometry) -> Array:
    """Twice the largest weight of the block; the page says why."""
    return 2 * largest(w, 1, BLOCK) + 64 * F16_LEAST


BLOCKS = record(
    "blocks",
    per_block("scales", "u1", SUBS),
    packed("q", bits=2, run=32),
    per_block("d", "f2"),
    per_block("dmin", "f2"),
)
Q2_K = Format(
    tag="Q2_K",
    summary="ggml's 2-bit super-blocks of 256",
    block=BLOCK,
    parts=(BLOCKS,),
    uses=frozenset({"importance"}),
    foreign={"ggml": 10},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.q2_k:KERNEL",
    bound=bound,
)
