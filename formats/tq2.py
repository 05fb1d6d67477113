"""TQ2, known as TQ2_0: ggml's ternary super-block with two bits a weight.

::

    block of 256 weights along a row, 66 bytes, 2.0625 bits per weight
    byte   0                                64   66
           b0 ...                      b63  d
           2-bit codes (runs of 32 bytes)   f16

Decode: w = d * (q - 1), in float32. Encode: as for `Q2_0`: d = max |w|, codes 0, 1 and 2.
"""

from functools import partial

from fourcc import Array, Blocks, Format, Parts, packed, per_block, record
from fourcc.formats.layouts.ternary import bound_of, nearest

BLOCK = 256
ZERO_POINT = 1  # the code of weight 0


def decode_block(q: Array, d: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * (q - ZERO_POINT)


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 .. 2."""
    d, q = nearest(blocks.w)
    return {"q": q, "d": d}


TQ2 = Format(
    tag="TQ2",
    name="TQ2_0",
    summary="ggml's ternary super-blocks of 256, two bits a weight",
    block=BLOCK,
    parts=(record("blocks", packed("q", bits=2, run=32), per_block("d", "f2")),),
    foreign={"ggml": 35},
    encode=encode,
    decode_block=decode_block,
    bound=partial(bound_of, block=BLOCK),
)
