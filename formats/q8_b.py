"""Q8_B: 8-bit codes around a mean in blocks of 128 weights along a row, as in atamurad's QMatrix.

::

    scales   (rows, ceil(cols / 128)) float32   the largest |w - mean| of the block
    means    (rows, ceil(cols / 128)) float32   the offset: the mean of the block
    q        (rows, cols) int8                  -127 .. 127

Decode: w = float32((float64(scale) / 127) * q + mean). Encode: q = 127 (w - mean) / scale, rounded half to even; all
in float64. The last block of a row may be short.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, per_block, per_weight
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, count, largest, over_blocks
from fourcc.formats.q8_a import TOP, nearest_codes

BLOCK = 128
HUGE = 2.0**127  # from here on |w - mean| might exceed float32: such a block has the mean 0


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales and means (rows, blocks), codes (rows, cols) -> float32 (rows, cols)."""
    scale = parts["scales"].astype(np.float64) / TOP  # (rows, blocks)
    w = np.repeat(scale, BLOCK, axis=1)[:, : geom.cols]  # (rows, cols)
    w *= parts["q"]
    w += np.repeat(parts["means"], BLOCK, axis=1)[:, : geom.cols]
    return w.astype(np.float32)


def encode(blocks: Blocks) -> Parts:
    """Scales, means, and codes -127 .. 127."""
    mean = _means(blocks.w)
    deviation = blocks.w.astype(np.float64)
    deviation -= mean[:, None]
    scale = np.abs(deviation).max(axis=1).astype(np.float32)  # (blocks,)
    return {"scales": scale, "means": mean, "q": nearest_codes(deviation, scale[:, None])}


def _means(w: Floats) -> Floats:
    """The means of blocks (blocks, n), summed from left to right in float64, as float32 (blocks,)."""
    total = np.add.accumulate(w, axis=1, dtype=np.float64)[:, -1]
    mean: Floats = (total / w.shape[1]).astype(np.float32)
    mean[np.abs(w).max(axis=1) >= HUGE] = 0
    return mean


def bound(w: Array, geom: Geometry) -> Array:
    """The bound of Q8_A for the scale max |w - mean|, or max |w| where that is huge; plus the rounding of the mean."""
    top = largest(w, 1, BLOCK)
    mean = over_blocks(w, 1, BLOCK, np.add) / count(w, 1, BLOCK)
    scale = np.where(top >= HUGE, top, largest(w - mean, 1, BLOCK))
    return scale * (1 / 254 + 2 * F32_ULP) + 2 * top * F32_ULP + F32_LEAST


Q8_B = Format(
    tag="Q8_B",
    summary="8-bit codes, float32 scale and mean for 128 weights along a row",
    block=BLOCK,
    parts=(per_block("scales", "f4"), per_block("means", "f4"), per_weight("q", "i1")),
    foreign={"qmatrix": "q8_b"},
    decode=decode,
    encode=encode,
    kernel="fourcc.kernels.q8_b:KERNEL",
    bound=bound,
)
