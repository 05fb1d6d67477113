"""Q5_0: ggml's 5-bit block.

::

    block of 32 weights along a row, 22 bytes, 5.5 bits per weight
    byte   0   2            6                                            22
           d   high         b0 b1 ...                                    b15
           f16 u32, bit j:  low nibble of bj: weight j, high nibble: weight j + 16
               top bit of
               weight j

Decode: w = d * (q - 16), in float32, with q = 16 * top bit + nibble.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.top_bits import BITS, bits_of, with_top_bits, word_of
from fourcc.formats.searches.columns import as_groups, first_largest
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.scale_search import signed_scale

BLOCK = 32
ZERO_POINT = 16  # the code of weight 0


def decode_block(d: Array, high: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = d * ((q | (high >> BITS & 1) << 4) - ZERO_POINT)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    low, high = Q5_0.unpacked(parts, geom)["q"], bits_of(parts["blocks"]["high"])
    q: Array = low | high << 4
    return q


def with_codes(parts: Parts, codes: Array, _: Geometry) -> Parts:
    """The parts with other codes."""
    return with_top_bits(Q5_0.repacked(parts, {"q": codes & 15}), codes >> 4)


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 .. 31."""
    counted = error_weights(blocks, blocks.rows, times=1)
    d, q = _from_peak(blocks.w) if counted is None else _search(blocks.w, counted)
    return {"d": d, "high": word_of(q >> 4), "q": q & 15}


@np.errstate(divide="ignore", over="ignore")  # 1 / d may be infinite
def _from_peak(w: Floats) -> tuple[Floats, Array]:
    """The scale and the codes with which the weight of largest magnitude has code 0."""
    d = (first_largest(w.T) + np.float32(0)) / np.float32(-ZERO_POINT)  # (blocks,); a peak of -0 counts as 0
    inverse = 1 / d
    lost = np.isinf(inverse)  # d is 0, or so small that it is 0 in float16
    inverse[lost] = 0
    q = np.minimum(w * inverse[:, None] + np.float32(16.5), 31).astype(np.uint8)
    q[lost & (d != 0)] = 0  # as ggml's C code gives on x86; they decode to 0 all the same
    return d, q


def _search(w: Floats, weights: Floats) -> tuple[Floats, Array]:
    """The scale and the codes with the least weighted error."""
    d, codes = signed_scale(as_groups(w, BLOCK), as_groups(weights, BLOCK), ZERO_POINT)
    return d, (codes.T + ZERO_POINT).astype(np.uint8)


def bound(w: Array, geom: Geometry) -> Array:
    """A whole step, since the code 32 is clamped to 31, and 16 times the error of the float16 scale."""
    return largest(w, 1, BLOCK) * (1 / 16 + 2**-11 + 2**-19) + 16 * F16_LEAST


Q5_0 = Format(
    tag="Q5_0",
    summary="ggml's 5-bit blocks of 32, float16 scale",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_block("high", "u4"), packed("q", bits=4, run=16)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 6},
    encode=encode,
    decode_block=decode_block,
    codes=codes,
    with_codes=with_codes,
    code_range=(0, 31),
    kernel="fourcc.kernels.q5_0:KERNEL",
    bound=bound,
)
