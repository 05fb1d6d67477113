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

from collections.abc import Mapping

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import bits_of, packed, unpacked, word_of
from fourcc.formats.layouts.offset_blocks import BLOCK, HALF, bound_of_codes, decode_blocks, encode_blocks
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.importance import error_weights
from fourcc.geometry import Geometry
from fourcc.part import Part

TOP = 31  # largest code
FIELDS = (("d", "<f2", ()), ("m", "<f2", ()), ("high", "<u4", ()), ("q", "|u1", (HALF,)))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], HALF, 4) | bits_of(blocks["high"]) << 4
    return q.reshape(geom.rows, geom.cols)


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    return decode_blocks(parts["blocks"], codes(parts, geom))


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    d, m, high = blocks["d"][0], blocks["m"][0], blocks["high"][0]
    for j in range(BLOCK):
        nibble = blocks["q"][j % HALF] >> 4 * (j // HALF) & 15
        weights[j] = d * (nibble | (high >> j & 1) << 4) + m


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    tile, geom, aids = blocks.rows, blocks.geom, blocks.aids
    weights = error_weights(tile, aids, run=geom.cols, times=1, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 32) into blocks (n,)."""
    codes = encode_blocks(w, weights, blocks, TOP)
    blocks["high"] = word_of(codes >> 4)
    blocks["q"] = packed(codes & 15, HALF, 4)


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of extent / 31, and the errors of d and m in float16."""
    return bound_of_codes(w, TOP)


Q5_1 = Format(
    tag="Q5_1",
    name="Q5_1",
    summary="ggml's 5-bit blocks of 32, float16 scale and minimum",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 7},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q5_1:KERNEL",
    bound=bound,
)
