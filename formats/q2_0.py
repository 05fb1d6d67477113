"""Q2_0: ggml's 2-bit block.

::

    block of 64 weights along a row, 18 bytes, 2.25 bits per weight
    byte   0    2                                           18
           d    b0 ...                                      b15
           f16  bits 2 k and 2 k + 1 of bj: weight 4 j + k

Decode: w = d * (q - 1), in float32. Encode: d = max |w| and q = w * (1 / d) + 1, rounded half away from zero, with the
float32 d: never 3. The file holds d rounded to float16.
"""

from functools import partial

import numpy as np

from fourcc import Array, Blocks, Format, Parts, packed, per_block, record
from fourcc.formats.layouts.ternary import bound_of, nearest

BLOCK = 64
ZERO_POINT = 1  # the code of weight 0
NO_INVERSE = np.float32(2.0**-128)  # the largest d whose inverse is infinite


def decode_block(d: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * (q - ZERO_POINT)


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 .. 2."""
    d, q = nearest(blocks.w)
    q[(d > 0) & (d <= NO_INVERSE)] = 0  # as ggml's C code gives on x86; they decode to 0 all the same
    return {"d": d, "q": q}


Q2_0 = Format(
    tag="Q2_0",
    summary="ggml's 2-bit blocks of 64, float16 scale",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), packed("q", bits=2)),),
    foreign={"ggml": 42},
    encode=encode,
    decode_block=decode_block,
    bound=partial(bound_of, block=BLOCK),
)
