"""Q2_K: ggml's 2-bit super-block.

::

    block of 256 weights along a row, 84 bytes, 2.625 bits per weight
    byte   0                        16            80   82   84
           s0 s1 ...           s15  b0 ...   b63  d    dmin
           low nibble of sj: scale  2-bit codes   f16  f16
           of weights 16 j ...,     (bit_fields,
           high nibble: minimum     runs of 32)

Decode: w = (d * scale) * q - dmin * minimum, in float32.
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
SUB = 16  # weights with one scale and minimum
SUBS = BLOCK // SUB
FIELDS = (("scales", "|u1", (SUBS,)), ("q", "|u1", (BLOCK // 4,)), ("d", "<f2", ()), ("dmin", "<f2", ()))

SPEC = FormatSpec(
    tag="Q2_K",
    name="Q2_K",
    summary="ggml's 2-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 10},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 3, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], 32, 2).reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore", over="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 256) -> float32 (rows, cols)."""
    blocks = parts["blocks"]
    scale = blocks["d"].astype(np.float32)[..., None] * (blocks["scales"] & 15)  # (rows, cols / 256, 16)
    minimum = blocks["dmin"].astype(np.float32)[..., None] * (blocks["scales"] >> 4)
    w = codes(parts, geom).astype(np.float32).reshape(*scale.shape, SUB)
    w *= scale[..., None]
    w -= minimum[..., None]
    return w.reshape(geom.rows, geom.cols)


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """One block."""
    for sub in range(SUBS):
        scale = blocks["d"][0] * (blocks["scales"][sub] & 15)
        minimum = blocks["dmin"][0] * (blocks["scales"][sub] >> 4)
        for j in range(SUB * sub, SUB * sub + SUB):
            code = blocks["q"][32 * (j // 128) + j % 32] >> 2 * (j % 128 // 32) & 3
            weights[j] = scale * code - minimum


def kernel() -> Kernel:
    """The products of `fourcc.kernels.q2_k`."""
    from fourcc.kernels.q2_k import KERNEL

    return KERNEL


Q2_K = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
