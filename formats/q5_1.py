"""Q5_1: ggml's 5-bit block with an offset ``m``, which ggml calls the minimum.

::

    block of 32 weights along a row, 24 bytes, 6 bits per weight
    byte   0   2   4            8                                            24
           d   m   high         b0 b1 ...                                    b15
           f16 f16 u32, bit j:  low nibble of bj: weight j, high nibble: weight j + 16
                   top bit of
                   weight j

Decode: w = d * q + m, in float32, with q = 16 * top bit + nibble.
"""

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.offset_blocks import BLOCK, bound_of_codes, scale_and_offset
from fourcc.formats.layouts.top_bits import BITS, bits_of, with_top_bits, word_of

TOP = 31  # largest code


def decode_block(d: Array, m: Array, high: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * (q | (high >> BITS & 1) << 4) + m


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    low, high = Q5_1.unpacked(parts, geom)["q"], bits_of(parts["blocks"]["high"])
    q: Array = low | high << 4
    return q


def with_codes(parts: Parts, codes: Array, _: Geometry) -> Parts:
    """The parts with other codes."""
    return with_top_bits(Q5_1.repacked(parts, {"q": codes & 15}), codes >> 4)


def encode(blocks: Blocks) -> Parts:
    """Scales, offsets, and codes 0 .. 31."""
    d, m, q = scale_and_offset(blocks, TOP)
    return {"d": d, "m": m, "high": word_of(q >> 4), "q": q & 15}


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of extent / 31, and the errors of d and m in float16."""
    return bound_of_codes(w, TOP)


BLOCKS = record(
    "blocks", per_block("d", "f2"), per_block("m", "f2"), per_block("high", "u4"), packed("q", bits=4, run=16)
)
Q5_1 = Format(
    tag="Q5_1",
    summary="ggml's 5-bit blocks of 32, float16 scale and minimum",
    block=BLOCK,
    parts=(BLOCKS,),
    uses=frozenset({"importance"}),
    foreign={"ggml": 7},
    encode=encode,
    decode_block=decode_block,
    codes=codes,
    with_codes=with_codes,
    code_range=(0, 31),
    kernel="fourcc.kernels.q5_1:KERNEL",
    bound=bound,
)
