"""Q5_K: ggml's 5-bit super-block.

::

    block of 256 weights along a row, 176 bytes, 5.5 bits per weight
    byte   0    2     4              16               48                176
           d    dmin  s0 ...    s11  h0 ...      h31  b0 ...       b127
           f16  f16   scales and     top bits         low four bits
                      minima of 32   (bit_fields,     (bit_fields,
                      weights each   runs of 32)      runs of 32)
                      (six_bits)

Decode: w = (d * scale) * q - dmin * minimum, in float32, with q = 16 * top bit + low bits.
"""

from collections.abc import Mapping

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import packed, unpacked
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.layouts.six_bits import (
    BLOCK,
    SUB,
    SUBS,
    bound_of_codes,
    decode_blocks,
    encode_blocks,
    minimum_of,
    scale_of,
)
from fourcc.formats.searches.affine_search import Tries
from fourcc.formats.searches.importance import error_weights
from fourcc.geometry import Geometry
from fourcc.part import Part

TRIES = Tries(31, first=-0.5, step=0.1, last=15)
FIELDS = (
    ("d", "<f2", ()),
    ("dmin", "<f2", ()),
    ("scales", "|u1", (12,)),
    ("high", "|u1", (BLOCK // 8,)),
    ("q", "|u1", (BLOCK // 2,)),
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], 32, 4) | unpacked(blocks["high"], 32, 1) << 4
    return q.reshape(geom.rows, geom.cols)


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    return decode_blocks(parts["blocks"], codes(parts, geom))


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        scale = blocks["d"][0] * scale_of(blocks["scales"], sub)
        minimum = blocks["dmin"][0] * minimum_of(blocks["scales"], sub)
        for j in range(SUB):
            code = blocks["q"][SUB * (sub // 2) + j] >> 4 * (sub % 2) & 15
            top = blocks["high"][j] >> sub & 1
            weights[SUB * sub + j] = scale * (code | top << 4) - minimum


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 256)."""
    tile, aids = blocks.rows, blocks.aids
    weights = error_weights(tile, aids, run=BLOCK, times=2, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 256) into blocks (n,)."""
    codes = encode_blocks(w, weights, blocks, TRIES)
    blocks["q"] = packed(codes & 15, 32, 4)
    blocks["high"] = packed(codes >> 4, 32, 1)


def bound(w: Array, geom: Geometry) -> Array:
    """Eight times half a step of the sub-block, plus the effect of rounding its scale and its minimum."""
    return bound_of_codes(w, TRIES.top)


Q5_K = Format(
    tag="Q5_K",
    name="Q5_K",
    summary="ggml's 5-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 13},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q5_k:KERNEL",
    bound=bound,
)
