"""Q4_0: ggml's 4-bit block.

::

    block of 32 weights along a row, 18 bytes, 4.5 bits per weight
    byte   0   2                                            18
           d   b0 b1 ...                                    b15
           f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * (q - 8), in float32. Encode: d = p / -8, where p is the weight of largest magnitude with its sign, so
that p has code 0; q = w * (1 / d) + 8.5, truncated and at most 15, with the float32 d; the file holds d rounded to
float16. Where an importance is given, ggml's search finds d.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.scale_search import signed_rows

BLOCK = 32
ZERO_POINT = 8  # the code of weight 0


def decode_block(d: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * (q - ZERO_POINT)


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 .. 15."""
    counted = error_weights(blocks, blocks.rows, times=1)
    d, q = _from_peak(blocks.w) if counted is None else signed_rows(blocks.w, counted, ZERO_POINT)
    return {"d": d, "q": q}


@np.errstate(divide="ignore", over="ignore")  # 1 / d may be infinite
def _from_peak(w: Floats) -> tuple[Floats, Array]:
    """The scale and the codes with which the weight of largest magnitude has code 0."""
    peak = np.abs(w).argmax(axis=1)  # (blocks,), ties go to the first
    d = w[np.arange(len(w)), peak] / np.float32(-ZERO_POINT)
    inverse = 1 / d
    lost = np.isinf(inverse)  # d is 0, or so small that it is 0 in float16
    inverse[lost] = 0
    q = w * inverse[:, None]
    q += np.float32(8.5)
    q = np.minimum(q.astype(np.uint8), 15)
    q[lost & (d != 0)] = 0  # as ggml's C code gives on x86; they decode to 0 all the same
    return d, q


def bound(w: Array, geom: Geometry) -> Array:
    """A whole step, since the code 16 is clamped to 15, and 8 times the error of the float16 scale."""
    return largest(w, 1, BLOCK) * (1 / 8 + 2**-11 + 2**-19) + 8 * F16_LEAST


Q4_0 = Format(
    tag="Q4_0",
    summary="ggml's 4-bit blocks of 32, float16 scale",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), packed("q", bits=4, run=16)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 2},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.q4_0:KERNEL",
    bound=bound,
)
