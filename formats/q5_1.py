"""Q5_1: ggml's 5-bit block with a minimum.

::

    block of 32 weights along a row, 24 bytes, 6 bits per weight
    byte   0   2   4            8                                            24
           d   m   high         b0 b1 ...                                    b15
           f16 f16 u32, bit j:  low nibble of bj: weight j, high nibble: weight j + 16
                   top bit of
                   weight j

Decode: w = d * q + m, in float32, with q = 16 * top bit + nibble.
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

BLOCK = 32
HALF = BLOCK // 2
FIELDS = (("d", "<f2", ()), ("m", "<f2", ()), ("high", "<u4", ()), ("q", "|u1", (HALF,)))

SPEC = FormatSpec(
    tag="Q5_1",
    name="Q5_1",
    summary="ggml's 5-bit blocks of 32, float16 scale and minimum",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 7},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    top = blocks["high"][..., None] >> np.arange(BLOCK, dtype=np.uint32) & 1  # (rows, cols / 32, 32)
    q: Array = unpacked(blocks["q"], HALF, 4) | top.astype(np.uint8) << 4
    return q.reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore", over="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    w = codes(parts, geom).astype(np.float32).reshape(*blocks.shape, BLOCK)
    w *= blocks["d"].astype(np.float32)[..., None]
    w += blocks["m"].astype(np.float32)[..., None]
    return w.reshape(geom.rows, geom.cols)


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """One block."""
    d, m, high = blocks["d"][0], blocks["m"][0], blocks["high"][0]
    for j in range(BLOCK):
        nibble = blocks["q"][j % HALF] >> 4 * (j // HALF) & 15
        weights[j] = d * (nibble | (high >> j & 1) << 4) + m


def kernel() -> Kernel:
    """The products of `fourcc.kernels.q5_1`."""
    from fourcc.kernels.q5_1 import KERNEL

    return KERNEL


Q5_1 = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
