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
ZERO_POINT = 16  # the code of weight 0
FIELDS = (("d", "<f2", ()), ("high", "<u4", ()), ("q", "|u1", (HALF,)))

SPEC = FormatSpec(
    tag="Q5_0",
    name="Q5_0",
    summary="ggml's 5-bit blocks of 32, float16 scale",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    partner="Q8_0",
    foreign={"ggml": 6},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    top = blocks["high"][..., None] >> np.arange(BLOCK, dtype=np.uint32) & 1  # (rows, cols / 32, 32)
    q: Array = unpacked(blocks["q"], HALF, 4) | top.astype(np.uint8) << 4
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
    """One block."""
    d, high = blocks["d"][0], blocks["high"][0]
    for j in range(BLOCK):
        nibble = blocks["q"][j % HALF] >> 4 * (j // HALF) & 15
        weights[j] = d * ((nibble | (high >> j & 1) << 4).astype(np.float32) - ZERO_POINT)


def kernel() -> Kernel:
    """The products of `fourcc.kernels.q5_0`."""
    from fourcc.kernels.q5_0 import KERNEL

    return KERNEL


Q5_0 = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
