"""Q8_A: 8-bit codes in blocks of 128 weights down a column, as in atamurad's QMatrix.

::

    scales   (rows / 128, cols) float32   the largest |w| of rows 128 i .. 128 i + 127 of column j
    q        (rows, cols) int8            -127 .. 127

Decode: w = float32((float64(scale) / 127) * q). Encode: q = 127 w / scale, rounded half to even. The last block of a
column may be short. A column is one input channel, so an outlier channel has its own scales and costs no
other weight precision.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, per_block, per_weight
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, largest

BLOCK = 128
TOP = 127  # the largest code


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (rows / 128, cols) and codes (rows, cols) -> float32 (rows, cols)."""
    scale = parts["scales"].astype(np.float64) / TOP  # (rows / 128, cols)
    w = np.repeat(scale, BLOCK, axis=0)[: geom.rows]  # (rows, cols)
    w *= parts["q"]
    return w.astype(np.float32)


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes -127 .. 127."""
    scale = np.abs(blocks.w).max(axis=1)  # (blocks,)
    return {"scales": scale, "q": nearest_codes(blocks.w, scale[:, None])}


def nearest_codes(w: Array, scale: Floats) -> Array:
    """127 w / scale, rounded half to even; 0 where the scale is 0.

    In float64, 127 w is exact for a float32 w, and no quotient overflows even for the smallest scale.

    Args:
        w: real numbers; |w| exceeds the scale by at most its rounding.
        scale: float32, broadcasts against w.
    """
    divisor = np.where(scale == 0, np.inf, scale.astype(np.float64))
    quotient = w * np.float64(TOP)
    quotient /= divisor
    return np.rint(quotient, out=quotient).astype(np.int8)


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of scale / 127, and the rounding of the product."""
    return largest(w, BLOCK, 1) * (1 / 254 + 2 * F32_ULP) + F32_LEAST


Q8_A = Format(
    tag="Q8_A",
    summary="8-bit codes, one float32 scale for 128 weights down a column",
    block=(BLOCK, 1),
    parts=(per_block("scales", "f4"), per_weight("q", "i1")),
    foreign={"qmatrix": "q8_a"},
    decode=decode,
    encode=encode,
    kernel="fourcc.kernels.q8_a:KERNEL",
    bound=bound,
)
