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

from collections.abc import Mapping

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.bit_fields import bits_of, packed, unpacked, word_of
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.row_blocks import in_weighted_batches
from fourcc.formats.searches.columns import as_groups, first_largest
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.scale_search import signed_scale
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 32
HALF = BLOCK // 2
ZERO_POINT = 16  # the code of weight 0
FIELDS = (("d", "<f2", ()), ("high", "<u4", ()), ("q", "|u1", (HALF,)))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], HALF, 4) | bits_of(blocks["high"]) << 4
    return q.reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    d = parts["blocks"]["d"].astype(np.float32)  # (rows, cols / 32)
    w = codes(parts, geom).astype(np.float32)
    w -= ZERO_POINT
    w.reshape(*d.shape, BLOCK)[...] *= d[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes one block."""
    d, high = blocks["d"][0], blocks["high"][0]
    for j in range(BLOCK):
        nibble = blocks["q"][j % HALF] >> 4 * (j // HALF) & 15
        weights[j] = d * ((nibble | (high >> j & 1) << 4).astype(np.float32) - ZERO_POINT)


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    tile, geom, aids = blocks.rows, blocks.geom, blocks.aids
    weights = error_weights(tile, aids, run=geom.cols, times=1, width=BLOCK)
    return {"blocks": in_weighted_batches(tile, weights, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(invalid="ignore", over="ignore")  # d may be infinite in float16: refused
def _encode_blocks(w: Floats, weights: Floats | None, blocks: Array) -> None:
    """Weights (n, 32) into blocks (n,)."""
    d, codes = _from_peak(w) if weights is None else _search(w, weights)
    blocks["d"] = d
    blocks["high"] = word_of(codes >> 4)
    blocks["q"] = packed(codes & 15, HALF, 4)


@np.errstate(divide="ignore", over="ignore")  # 1 / d may be infinite
def _from_peak(w: Floats) -> tuple[Floats, Array]:
    """The scale and the codes with which the weight of largest magnitude has code 0."""
    d = (first_largest(w.T) + np.float32(0)) / np.float32(-ZERO_POINT)  # (n,); a peak of -0 counts as 0
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
    name="Q5_0",
    summary="ggml's 5-bit blocks of 32, float16 scale",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 6},
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    kernel="fourcc.kernels.q5_0:KERNEL",
    bound=bound,
)
