"""Q3_K: ggml's 3-bit super-block.

::

    block of 256 weights along a row, 110 bytes, 3.4375 bits per weight
    byte   0                32              96              108  110
           h0 ...      h31  b0 ...     b63  s0 ...     s11  d
           top bits         low two bits    16 scales of    f16
           (runs of 32)     (runs of 32)    6 bits

    scale j of weights 16 j ...: its low four bits are a nibble of byte j % 8 of the twelve (the low one for j < 8), its
    high two bits are bits 2 (j // 4) .. of byte 8 + j % 4; 32 is taken off

Decode: w = (d * (scale - 32)) * (q - 4), in float32, with q = 4 * top bit + low bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.format import Array, Floats, Format, Parts
from fourcc.formats.bit_fields import unpacked
from fourcc.spec import FormatSpec, Geometry, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourcc.kernels.kernel import Kernel

BLOCK = 256
SUB = 16  # weights with one scale
SUBS = BLOCK // SUB
ZERO_POINT = 4  # the code of weight 0
SCALE_ZERO = 32  # that of scale 0
FIELDS = (("high", "|u1", (BLOCK // 8,)), ("q", "|u1", (BLOCK // 4,)), ("scales", "|u1", (12,)), ("d", "<f2", ()))

SPEC = FormatSpec(
    tag="Q3_K",
    name="Q3_K",
    summary="ggml's 3-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 11},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 7, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], 32, 2) | unpacked(blocks["high"], 32, 1) << 2
    return q.reshape(geom.rows, geom.cols)


def unpack_scales(stored: Array) -> Array:
    """The scales, 0 .. 63: uint8 (..., 12) -> uint8 (..., 16)."""
    scales: Array = unpacked(stored[..., :8], 8, 4) | unpacked(stored[..., 8:], 4, 2) << 4
    return scales


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    scale = unpack_scales(blocks["scales"]).astype(np.float32)  # (rows, cols / 256, 16)
    scale -= SCALE_ZERO
    scale *= blocks["d"].astype(np.float32)[..., None]
    w = codes(parts, geom).astype(np.float32)
    w -= ZERO_POINT
    w.reshape(*scale.shape, SUB)[...] *= scale[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """One block."""
    stored = blocks["scales"]
    for sub in range(SUBS):
        low, high = stored[sub % 8] >> 4 * (sub // 8) & 15, stored[8 + sub % 4] >> 2 * (sub // 4) & 3
        scale = blocks["d"][0] * ((low | high << 4) - SCALE_ZERO)
        for j in range(SUB * sub, SUB * sub + SUB):
            code = blocks["q"][32 * (j // 128) + j % 32] >> 2 * (j % 128 // 32) & 3
            top = blocks["high"][j % 32] >> j // 32 & 1
            weights[j] = scale * ((code | top << 2) - ZERO_POINT)


def kernel() -> Kernel:
    """The products of `fourcc.kernels.q3_k`."""
    from fourcc.kernels.q3_k import KERNEL

    return KERNEL


Q3_K = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
