"""MXF4, known as MXFP4: 4-bit floats with a power of two for each 32, in ggml's order.

::

    block of 32 weights along a row, 17 bytes, 4.25 bits per weight
    byte   0   1                                            17
           e   b0 b1 ...                                    b15
           u8  low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = 2^(e - 128) * LEVELS[q], in float32. The levels are twice the values of E2M1 (sign, two bits of exponent,
one of mantissa), so that they are whole numbers; -0 is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.format import Array, Floats, Format, Parts
from fourcc.formats.bit_fields import unpacked
from fourcc.spec import FormatSpec, Geometry, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = 32
HALF = BLOCK // 2
BIAS = 128  # of the exponent, with levels that are doubled
LEVELS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)
POWERS = np.ldexp(np.float32(1), np.arange(256) - BIAS).astype(np.float32)  # the first two are denormal
FIELDS = (("e", "|u1", ()), ("q", "|u1", (HALF,)))

SPEC = FormatSpec(
    tag="MXF4",
    name="MXFP4",
    summary="4-bit floats (E2M1) in blocks of 32 with a power-of-two scale",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    partner="Q8_0",
    foreign={"ggml": 39},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored codes, 0 .. 15, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], HALF, 4).reshape(geom.rows, geom.cols)


@np.errstate(over="ignore")  # 12 * 2^127
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    scale = POWERS[parts["blocks"]["e"]]  # (rows, cols / 32)
    w = LEVELS[codes(parts, geom)]
    w.reshape(*scale.shape, BLOCK)[...] *= scale[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """One block."""
    scale = POWERS[blocks["e"][0]]
    for j in range(HALF):
        pair = blocks["q"][j]
        weights[j] = scale * LEVELS[pair & 15]
        weights[j + HALF] = scale * LEVELS[pair >> 4]


MXF4 = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block)
