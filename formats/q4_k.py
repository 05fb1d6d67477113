"""Q4_K: ggml's 4-bit super-block.

::

    block of 256 weights along a row, 144 bytes, 4.5 bits per weight
    byte   0    2     4              16                144
           d    dmin  s0 ...    s11  b0 ...       b127
           f16  f16   scales and     4-bit codes
                      minima of 32   (bit_fields, runs of 32)
                      weights each
                      (six_bits)

Decode: w = (d * scale) * q - dmin * minimum, in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.format import Array, Floats, Format, Parts
from fourcc.formats.bit_fields import unpacked
from fourcc.formats.six_bits import minimum_of, scale_of, unpack_scales
from fourcc.spec import FormatSpec, Geometry, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourcc.kernels.kernel import Kernel

BLOCK = 256
SUB = 32  # weights with one scale and minimum
SUBS = BLOCK // SUB
FIELDS = (("d", "<f2", ()), ("dmin", "<f2", ()), ("scales", "|u1", (12,)), ("q", "|u1", (BLOCK // 2,)))

SPEC = FormatSpec(
    tag="Q4_K",
    name="Q4_K",
    summary="ggml's 4-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 12},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 15, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], 32, 4).reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore", over="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    scales, minima = unpack_scales(blocks["scales"])  # (rows, cols / 256, 8)
    scale = blocks["d"].astype(np.float32)[..., None] * scales
    minimum = blocks["dmin"].astype(np.float32)[..., None] * minima
    w = codes(parts, geom).astype(np.float32).reshape(*scale.shape, SUB)
    w *= scale[..., None]
    w -= minimum[..., None]
    return w.reshape(geom.rows, geom.cols)


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """One block."""
    for sub in range(SUBS):
        scale = blocks["d"][0] * scale_of(blocks["scales"], sub)
        minimum = blocks["dmin"][0] * minimum_of(blocks["scales"], sub)
        for j in range(SUB):
            code = blocks["q"][SUB * (sub // 2) + j] >> 4 * (sub % 2) & 15
            weights[SUB * sub + j] = scale * code - minimum


def kernel() -> Kernel:
    """The products of `fourcc.kernels.q4_k`."""
    from fourcc.kernels.q4_k import KERNEL

    return KERNEL


Q4_K = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
