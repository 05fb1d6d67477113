"""Q8_0: ggml's 8-bit block.

::

    block of 32 weights along a row, 34 bytes, 8.5 bits per weight
    byte   0   2                                   34
           d   q0 q1 q2 ...                        q31
           f16 int8

Decode: w = d * q, in float32. Encode: d = max |w| / 127 and q = w * (1 / d), rounded half away from zero, with the
float32 d; the file holds d rounded to float16.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.layouts.row_blocks import in_batches
from fourcc.geometry import Geometry
from fourcc.part import Part

BLOCK = 32
BELOW_HALF = np.float32(0.5 - 2**-25)  # the float32 before 0.5
FIELDS = (("d", "<f2", ()), ("q", "|i1", (BLOCK,)))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, int8 (rows, cols)."""
    return parts["blocks"]["q"].reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    w = blocks["q"].astype(np.float32)  # (rows, cols / 32, 32)
    w *= blocks["d"].astype(np.float32)[..., None]
    return w.reshape(geom.rows, geom.cols)


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    tile = blocks.rows
    return {"blocks": in_batches(tile, BLOCK, FIELDS, _encode_blocks)}


@np.errstate(divide="ignore", over="ignore")  # 1 / d and the float16 d may be infinite
def _encode_blocks(w: Floats, blocks: Array) -> None:
    """Weights (n, 32) into blocks (n,)."""
    d = np.abs(w).max(axis=1)  # (n,)
    d /= np.float32(127)
    inverse = 1 / d
    inverse[np.isinf(inverse)] = 0  # d is 0, or so small that it is 0 in float16
    q = w * inverse[:, None]  # (n, 32)
    q += np.copysign(BELOW_HALF, q)  # then truncated: round half away; adding 0.5 would round 0.49999997 to 1
    blocks["d"] = d
    blocks["q"] = q


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step, and 127 times the error of the float16 scale."""
    return largest(w, 1, BLOCK) * (1 / 254 + 2**-11 + 2**-19) + 127 * F16_LEAST


Q8_0 = Format(
    tag="Q8_0",
    name="Q8_0",
    summary="ggml's 8-bit blocks of 32, float16 scale",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 8},
    decode=decode,
    encode=encode,
    codes=codes,
    kernel="fourcc.kernels.q8_0:KERNEL",
    bound=bound,
)
