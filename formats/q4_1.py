"""Q4_1: ggml's 4-bit block with an offset ``m``, which ggml calls the minimum.

::

    block of 32 weights along a row, 20 bytes, 5 bits per weight
    byte   0   2   4                                            20
           d   m   b0 b1 ...                                    b15
           f16 f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * q + m, in float32.
"""

from collections.abc import Mapping

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.offset_blocks import BLOCK, HALF, bound_of_codes, decode_blocks, encode_blocks
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.importance import error_weights
from fourcc.geometry import Geometry
from fourcc.part import Part

TOP = 15  # largest code
FIELDS = (("d", "<f2", ()), ("m", "<f2", ()), ("q", "|u1", (HALF,)))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 15, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], HALF, 4).reshape(geom.rows, geom.cols)


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    return decode_blocks(parts["blocks"], codes(parts, geom))


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    for j in range(HALF):
        pair = blocks["q"][j]
        weights[j] = blocks["d"][0] * (pair & 15) + blocks["m"][0]
        weights[j + HALF] = blocks["d"][0] * (pair >> 4) + blocks["m"][0]


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    tile, geom, aids = blocks.rows, blocks.geom, blocks.aids
    weights = error_weights(tile, aids, run=geom.cols, times=1, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 32) into blocks (n,)."""
    codes = encode_blocks(w, weights, blocks, TOP)
    blocks["q"] = packed(codes, HALF, 4)


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of extent / 15, and the errors of d and m in float16."""
    return bound_of_codes(w, TOP)


Q4_1 = Format(
    tag="Q4_1",
    name="Q4_1",
    summary="ggml's 4-bit blocks of 32, float16 scale and minimum",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 3},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q4_1:KERNEL",
    bound=bound,
)
