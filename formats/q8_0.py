"""Q8_0: ggml's 8-bit block.

::

    block of 32 weights along a row, 34 bytes, 8.5 bits per weight
    byte   0   2                                   34
           d   q0 q1 q2 ...                        q31
           f16 int8

Decode: w = d * q, in float32. Encode: d = max |w| / 127 and q = w * (1 / d) rounded half away from zero, with the float32 d;
the file holds d rounded to float16.
"""

import numpy as np

from fourcc.format import Aids, Array, Floats, Format, Parts
from fourcc.spec import FormatSpec, Geometry, Params, Part

BLOCK = 32

SPEC = FormatSpec(
    tag="Q8_0",
    name="Q8_0",
    summary="ggml's 8-bit blocks of 32, float16 scale",
    block=(1, BLOCK),
    parts=(Part("blocks", (("d", "<f2", ()), ("q", "|i1", (BLOCK,))), tail=lambda cols, _: (cols // BLOCK,)),),
    partner="Q8_0",
    foreign={"ggml": 8},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, int8 (rows, cols)."""
    return parts["blocks"]["q"].reshape(geom.rows, geom.cols)


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    d = blocks["d"].astype(np.float32)  # (rows, cols / 32)
    return (d[..., None] * blocks["q"].astype(np.float32)).reshape(geom.rows, geom.cols)


def encode(tile: Floats, shared: object, geom: Geometry, options: Params, aids: Aids) -> Parts:  # noqa: ARG001
    """float32 (rows, cols) -> blocks (rows, cols / 32)."""
    w = tile.reshape(geom.rows, geom.cols // BLOCK, BLOCK)
    d = np.abs(w).max(axis=2) / np.float32(127)  # (rows, cols / 32)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(d == 0, np.float32(0), np.float32(1) / d)
        blocks = np.empty(d.shape, [("d", "<f2"), ("q", "i1", (BLOCK,))])
        blocks["d"] = d
        blocks["q"] = _round_half_away(w * inverse[..., None])
    return {"blocks": blocks}


def _round_half_away(x: Floats) -> Floats:
    """C's roundf. Not floor(|x| + 0.5), which takes 0.49999997 to 1."""
    whole = np.floor(np.abs(x))
    rounded: Floats = np.copysign(whole + np.floor(2 * (np.abs(x) - whole)), x)
    return rounded


Q8_0 = Format(spec=SPEC, decode=decode, encode=encode, codes=codes)
