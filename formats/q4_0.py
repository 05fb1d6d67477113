"""Q4_0: ggml's 4-bit block.

::

    block of 32 weights along a row, 18 bytes, 4.5 bits per weight
    byte   0   2                                            18
           d   b0 b1 ...                                    b15
           f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * (q - 8), in float32. Encode: d = p / -8, where p is the weight of largest magnitude with its sign, so
that p has code 0; q = w * (1 / d) + 8.5, truncated and at most 15, with the float32 d; the file holds d rounded to
float16.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.row_blocks import in_batches
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 32
HALF = BLOCK // 2
ZERO_POINT = 8  # the code of weight 0
FIELDS = (("d", "<f2", ()), ("q", "|u1", (HALF,)))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 15, uint8 (rows, cols)."""
    nibbles = parts["blocks"]["q"]  # (rows, cols / 32, 16)
    return np.concatenate([nibbles & 15, nibbles >> 4], axis=-1).reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    d = parts["blocks"]["d"].astype(np.float32)  # (rows, cols / 32)
    w = codes(parts, geom).astype(np.float32)
    w -= ZERO_POINT
    w.reshape(*d.shape, BLOCK)[...] *= d[..., None]
    return w


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    tile = blocks.rows
    return {"blocks": in_batches(tile, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(divide="ignore", over="ignore")  # 1 / d and the float16 d may be infinite
def _encode_blocks(w: Floats, blocks: Array) -> None:
    """Weights (n, 32) into blocks (n,)."""
    peak = np.abs(w).argmax(axis=1)  # (n,), ties go to the first
    d = w[np.arange(len(w)), peak] / np.float32(-8)
    inverse = 1 / d
    lost = np.isinf(inverse)  # d is 0, or so small that it is 0 in float16
    inverse[lost] = 0
    q = w * inverse[:, None]  # (n, 32)
    q += np.float32(8.5)
    q = np.minimum(q.astype(np.uint8), 15)
    q[lost & (d != 0)] = 0  # as ggml's C code gives on x86; they decode to 0 all the same
    blocks["d"] = d
    blocks["q"] = q[:, :HALF] | q[:, HALF:] << 4


def bound(w: Array, geom: Geometry) -> Array:
    """A whole step, since the code 16 is clamped to 15, and 8 times the error of the float16 scale."""
    return largest(w, 1, BLOCK) * (1 / 8 + 2**-11 + 2**-19) + 8 * F16_LEAST


Q4_0 = Format(
    tag="Q4_0",
    name="Q4_0",
    summary="ggml's 4-bit blocks of 32, float16 scale",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 2},
    decode=decode,
    encode=encode,
    codes=codes,
    kernel="fourcc.kernels.q4_0:KERNEL",
    bound=bound,
)
