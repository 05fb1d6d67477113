"""IQ4N, known as IQ4_NL: ggml's 4-bit block with levels that are not evenly spaced.

::

    block of 32 weights along a row, 18 bytes, 4.5 bits per weight
    byte   0   2                                            18
           d   b0 b1 ...                                    b15
           f16 low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = d * LEVELS[q], in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.format import Array, Floats, Format, Parts
from fourcc.formats.bit_fields import unpacked
from fourcc.formats.levels import LEVELS
from fourcc.spec import FormatSpec, Geometry, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourcc.kernels.kernel import Kernel

BLOCK = 32
HALF = BLOCK // 2
FIELDS = (("d", "<f2", ()), ("q", "|u1", (HALF,)))

SPEC = FormatSpec(
    tag="IQ4N",
    name="IQ4_NL",
    summary="ggml's 4-bit non-linear codebook in blocks of 32",
    block=(1, BLOCK),
    parts=(Part("blocks", FIELDS, tail=lambda geom: (geom.cols // BLOCK,)),),
    partner="Q8_0",
    foreign={"ggml": 20},
)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored indices, 0 .. 15, uint8 (rows, cols)."""
    return unpacked(parts["blocks"]["q"], HALF, 4).reshape(geom.rows, geom.cols)


@np.errstate(invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Blocks (rows, cols / 32) -> float32 (rows, cols)."""
    d = parts["blocks"]["d"].astype(np.float32)  # (rows, cols / 32)
    w = LEVELS[codes(parts, geom)]
    w.reshape(*d.shape, BLOCK)[...] *= d[..., None]
    return w


def decode_block(blocks: Mapping[str, Array], weights: Array) -> None:
    """One block."""
    for j in range(HALF):
        pair = blocks["q"][j]
        weights[j] = blocks["d"][0] * LEVELS[pair & 15]
        weights[j + HALF] = blocks["d"][0] * LEVELS[pair >> 4]


def kernel() -> Kernel:
    """The products of `fourcc.kernels.iq4n`."""
    from fourcc.kernels.iq4n import KERNEL

    return KERNEL


IQ4N = Format(spec=SPEC, decode=decode, codes=codes, decode_block=decode_block, kernel=kernel)
