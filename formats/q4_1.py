"""Q4_1: ggml's 4-bit block with an offset ``m``, which ggml calls the minimum.

::

    block of 32 weights along a row, 20 bytes, 5 bits per weight
    byte   0   2   4                                            20
           d   m   b0 b1 ...                                    b15
           f16 f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * q + m, in float32.
"""

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.offset_blocks import BLOCK, bound_of_codes, scale_and_offset

TOP = 15  # largest code


def decode_block(d: Array, m: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * q + m


def encode(blocks: Blocks) -> Parts:
    """Scales, offsets, and codes 0 .. 15."""
    d, m, q = scale_and_offset(blocks, TOP)
    return {"d": d, "m": m, "q": q}


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of extent / 15, and the errors of d and m in float16."""
    return bound_of_codes(w, TOP)


Q4_1 = Format(
    tag="Q4_1",
    summary="ggml's 4-bit blocks of 32, float16 scale and minimum",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_block("m", "f2"), packed("q", bits=4, run=16)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 3},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.q4_1:KERNEL",
    bound=bound,
)
