"""Q5_K: ggml's 5-bit super-block.

::

    block of 256 weights along a row, 176 bytes, 5.5 bits per weight
    byte   0    2     4              16               48                176
           d    dmin  s0 ...    s11  h0 ...      h31  b0 ...       b127
           f16  f16   scales and     top bits         low four bits
                      minima of 32   (bit_fields,     (bit_fields,
                      weights each   runs of 32)      runs of 32)
                      (six_bits)

Decode: w = (d * scale) * q - dmin * minimum, in float32, with q = 16 * top bit + low bits.
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
FIELDS = (
    ("d", "<f2", ()),
    ("dmin", "<f2", ()),
    ("scales", "|u1", (12,)),
    ("high", "|u1", (BLOCK // 8,)),
    ("q", "|u1", (BLOCK // 2,)),
)

SPEC = FormatSpec(
    tag="Q5_K",
    name="Q5_K",
    summary="ggml's 5-bit super-blocks of 256",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    foreign={"ggml": 13},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, 0 .. 31, uint8 (rows, cols)."""
    blocks = parts["blocks"]
    q: Array = unpacked(blocks["q"], 32, 4) | unpacked(blocks["high"], 32, 1) << 4
    return q.reshape(geom.rows, geom.cols)


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
            top = blocks["high"][j] >> sub & 1
            weights[SUB * sub + j] = scale * (code | top << 4) - minimum


def kernel() -> Kernel:
    """The products of `fourcc.kernels.q5_k`."""
    from fourcc.kernels.q5_k import KERNEL

    return KERNEL


Q5_K = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
