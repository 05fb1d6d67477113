"""Q8_0: ggml's 8-bit block.

::

    block of 32 weights along a row, 34 bytes, 8.5 bits per weight
    byte   0   2                                   34
           d   q0 q1 q2 ...                        q31
           f16 int8

Decode: w = d * q, in float32. Encode: d = max |w| / 127 and q = w * (1 / d), rounded half away from zero, with the
float32 d; the file holds d rounded to float16.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, per_block, per_weight, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest

BLOCK = 32
BELOW_HALF = np.float32(0.5 - 2**-25)  # the float32 before 0.5


def decode_block(d: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * q


@np.errstate(divide="ignore", over="ignore")  # 1 / d may be infinite
def encode(blocks: Blocks) -> Parts:
    """Scales, and codes -127 .. 127."""
    d = np.abs(blocks.w).max(axis=1)  # (blocks,)
    d /= np.float32(127)
    inverse = 1 / d
    inverse[np.isinf(inverse)] = 0  # d is 0, or so small that it is 0 in float16
    q = blocks.w * inverse[:, None]
    q += np.copysign(BELOW_HALF, q)  # then truncated: round half away; adding 0.5 would round 0.49999997 to 1
    return {"d": d, "q": q.astype(np.int8)}


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step, and 127 times the error of the float16 scale."""
    return largest(w, 1, BLOCK) * (1 / 254 + 2**-11 + 2**-19) + 127 * F16_LEAST


Q8_0 = Format(
    tag="Q8_0",
    summary="ggml's 8-bit blocks of 32, float16 scale",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_weight("q", "i1")),),
    foreign={"ggml": 8},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.q8_0:KERNEL",
    bound=bound,
)
