"""Q5_K: ggml's 5-bit super-block.

::

    block of 256 weights along a row, 176 bytes, 5.5 bits per weight
    byte   0    2     4              16               48                176
           d    dmin  s0 ...    s11  h0 ...      h31  b0 ...       b127
           f16  f16   scales and     top bits         low four bits
                      minima of 32   (runs of        (runs of
                      weights each   32 bytes)        32 bytes)
                      (six_bits)

Decode: w = (d * scale) * q - dmin * minimum, in float32, with q = 16 * top bit + low bits.
"""

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.six_bits import BLOCK, SUB, SUBS, bound_of_codes, encode_blocks, minimum_of, scale_of
from fourcc.formats.searches.affine_search import Tries

TRIES = Tries(31, first=-0.5, step=0.1, last=15)


def decode_block(d: Array, dmin: Array, scales: Array, high: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        some = slice(SUB * sub, SUB * sub + SUB)
        code = q[some] | high[some] << 4
        weights[some] = d * scale_of(scales, sub) * code - dmin * minimum_of(scales, sub)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    fields = Q5_K.unpacked(parts, geom)
    q: Array = fields["q"] | fields["high"] << 4
    return q


def with_codes(parts: Parts, codes: Array, _: Geometry) -> Parts:
    """The parts with other codes."""
    return Q5_K.repacked(parts, {"q": codes & 15, "high": codes >> 4})


def encode(blocks: Blocks) -> Parts:
    """Scales of both kinds, and codes 0 .. 31."""
    parts = encode_blocks(blocks, TRIES)
    return {**parts, "high": parts["q"] >> 4, "q": parts["q"] & 15}


def bound(w: Array, geom: Geometry) -> Array:
    """Eight times half a step of the sub-block, plus the effect of rounding its scale and its minimum."""
    return bound_of_codes(w, TRIES.top)


Q5_K = Format(
    tag="Q5_K",
    summary="ggml's 5-bit super-blocks of 256",
    block=BLOCK,
    parts=(
        record(
            "blocks",
            per_block("d", "f2"),
            per_block("dmin", "f2"),
            per_block("scales", "u1", 12),
            packed("high", bits=1, run=32),
            packed("q", bits=4, run=32),
        ),
    ),
    uses=frozenset({"importance"}),
    foreign={"ggml": 13},
    encode=encode,
    decode_block=decode_block,
    codes=codes,
    with_codes=with_codes,
    code_range=(0, 31),
    kernel="fourcc.kernels.q5_k:KERNEL",
    bound=bound,
)
