"""Q1_0: ggml's 1-bit block.

::

    block of 128 weights along a row, 18 bytes, 1.125 bits per weight
    byte   0    2                              18
           d    b0 ...                         b15
           f16  bit k of bj: weight 8 j + k

Decode: w = d where the bit is 1, else -d. Encode: d = the mean of |w|, a bit tells w >= 0.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, over_blocks
from fourcc.formats.searches.columns import as_groups, ordered_sum

BLOCK = 128


def decode_block(d: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * (2 * q - 1)


@np.errstate(over="ignore")  # a sum may be infinite: refused
def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 and 1."""
    d = ordered_sum(as_groups(np.abs(blocks.w), BLOCK)) / np.float32(BLOCK)  # (blocks,)
    return {"d": d, "q": (blocks.w >= 0).astype(np.uint8)}


def bound(w: Array, geom: Geometry) -> Array:
    """The difference of |w| from the mean, and the errors of the sum and of the float16 scale."""
    mean = over_blocks(np.abs(w), 1, BLOCK, np.add) / BLOCK
    return np.abs(np.abs(w) - mean) + mean * (2**-11 + 2**-16) + F16_LEAST


Q1_0 = Format(
    tag="Q1_0",
    summary="ggml's 1-bit blocks of 128, float16 scale",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), packed("q", bits=1)),),
    foreign={"ggml": 41},
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)
