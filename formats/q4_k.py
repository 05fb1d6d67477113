"""Q4_K: ggml's 4-bit super-block.

::

    block of 256 weights along a row, 144 bytes, 4.5 bits per weight
    byte   0    2     4              16                144
           d    dmin  s0 ...    s11  b0 ...       b127
           f16  f16   scales and     4-bit codes
                      minima of 32   (runs of 32 bytes)
                      weights each
                      (six_bits)

Decode: w = (d * scale) * q - dmin * minimum, in float32.
"""

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.six_bits import BLOCK, SUB, SUBS, bound_of_codes, encode_blocks, minimum_of, scale_of
from fourcc.formats.searches.affine_search import Tries

TRIES = Tries(15, first=-1, step=0.1, last=20)


def decode_block(d: Array, dmin: Array, scales: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        some = slice(SUB * sub, SUB * sub + SUB)
        weights[some] = d * scale_of(scales, sub) * q[some] - dmin * minimum_of(scales, sub)


def encode(blocks: Blocks) -> Parts:
    """Scales of both kinds, and codes 0 .. 15."""
    return encode_blocks(blocks, TRIES)


def bound(w: Array, geom: Geometry) -> Array:
    """Eight times half a step of the sub-block, plus the effect of rounding its scale and its minimum."""
    return bound_of_codes(w, TRIES.top)


BLOCKS = record(
    "blocks", per_block("d", "f2"), per_block("dmin", "f2"), per_block("scales", "u1", 12), packed("q", bits=4, run=32)
)
Q4_K = Format(
    tag="Q4_K",
    summary="ggml's 4-bit super-blocks of 256",
    block=BLOCK,
    parts=(BLOCKS,),
    uses=frozenset({"importance"}),
    foreign={"ggml": 12},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.q4_k:KERNEL",
    bound=bound,
)
