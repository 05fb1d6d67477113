"""What ggml's 4- and 5-bit super-blocks share: eight scales and eight minima of 6 bits in 12 bytes, and their search.

::

    byte 0 .. 3    bits 5 .. 0: scale j        bits 7 6: high bits of scale j + 4
    byte 4 .. 7    bits 5 .. 0: minimum j      bits 7 6: high bits of minimum j + 4
    byte 8 .. 11   low nibble: low bits of scale j + 4      high nibble: low bits of minimum j + 4      (j = 0 .. 3)
"""

from typing import Any

import numpy as np

from fourcc.format import Array, Floats
from fourcc.formats.layouts.bounds import F16_LEAST, largest
from fourcc.formats.searches.affine_search import Tries, affine_scale, nearest_codes
from fourcc.formats.searches.columns import as_groups, ordered_sum
from fourcc.formats.searches.super_scales import from_largest, positive_scale

BLOCK, SUB = 256, 32  # weights of a super-block, and of one of its eight sub-blocks
TOP = 63  # largest scale, and largest minimum


def unpack_scales(stored: Array) -> tuple[Array, Array]:
    """Scales and minima: uint8 (..., 12) -> two of uint8 (..., 8)."""
    scales, minima, rest = stored[..., :4], stored[..., 4:8], stored[..., 8:]
    return (
        np.concatenate([scales & 63, (rest & 15) | (scales >> 6 << 4)], axis=-1),
        np.concatenate([minima & 63, (rest >> 4) | (minima >> 6 << 4)], axis=-1),
    )


def pack_scales(scales: Array, minima: Array) -> Array:
    """The inverse: two of (..., 8), below 64 -> uint8 (..., 12)."""
    scales, minima = scales.astype(np.uint8), minima.astype(np.uint8)
    low, high = scales[..., :4] | (scales[..., 4:] >> 4 << 6), minima[..., :4] | (minima[..., 4:] >> 4 << 6)
    return np.concatenate([low, high, (scales[..., 4:] & 15) | (minima[..., 4:] & 15) << 4], axis=-1)


def scale_of(stored: Array, j: int) -> Any:  # noqa: ANN401 - a number, or what stands for one
    """Scale j, of one block's bytes: for block decoders."""
    return stored[j] & 63 if j < 4 else (stored[j + 4] & 15) | (stored[j - 4] >> 6 << 4)


def minimum_of(stored: Array, j: int) -> Any:  # noqa: ANN401 - a number, or what stands for one
    """Minimum j."""
    return stored[j + 4] & 63 if j < 4 else (stored[j + 4] >> 4) | (stored[j] >> 6 << 4)


@np.errstate(invalid="ignore", over="ignore")  # a foreign file may hold any scale
def decode_blocks(blocks: Array, codes: Array) -> Floats:
    """Blocks (rows, cols / 256) and their codes (rows, cols) -> float32 (rows, cols)."""
    scales, minima = unpack_scales(blocks["scales"])  # (rows, cols / 256, 8)
    scale = blocks["d"].astype(np.float32)[..., None] * scales
    minimum = blocks["dmin"].astype(np.float32)[..., None] * minima
    w = codes.astype(np.float32).reshape(*scale.shape, SUB)
    w *= scale[..., None]
    w -= minimum[..., None]
    return w.reshape(codes.shape)


def bound_of_codes(w: Array, top: int) -> Array:
    """Eight times half a step of the sub-block, and what rounding its scale and minimum adds; `top`: largest code."""
    return largest(w, 1, SUB) * (8 / top) + largest(w, 1, BLOCK) / 12 + 64 * top * F16_LEAST


@np.errstate(invalid="ignore", over="ignore")  # d and dmin may be infinite in float16: refused
def encode_blocks(w: Floats, weights: Floats | None, blocks: Array, tries: Tries) -> Array:
    """Fills d, dmin and the scales of some blocks.

    Args:
        w: weights (n, 256).
        weights: what their errors count, (n, 256); None: a weight's magnitude, and the root of its sub-block's mean
            square.
        blocks: records (n,).
        tries: of the search in a sub-block, where `weights` is None.

    Returns:
        The codes (n, 256), uint8.
    """
    x = as_groups(w, SUB)  # (32, 8 n)
    if weights is None:
        mean = np.sqrt(ordered_sum(x * x) / np.float32(SUB))
        scale, minimum, codes = affine_scale(x, mean + np.abs(x), tries)
        (d, scales), (dmin, minima) = (from_largest(as_groups(each, 8), TOP) for each in (scale, minimum))
    else:
        counted = as_groups(weights, SUB)
        scale, minimum, codes = affine_scale(x, counted, Tries(tries.top, first=-0.9, step=0.05, last=36))
        total = as_groups(ordered_sum(counted), 8)
        (d, scales), (dmin, minima) = (positive_scale(as_groups(each, 8), total, TOP) for each in (scale, minimum))
    blocks["d"], blocks["dmin"] = d, dmin
    blocks["scales"] = pack_scales(scales.T, minima.T)
    step, low = (blocks[name].astype(np.float32) * each for name, each in (("d", scales), ("dmin", minima)))  # (8, n)
    nearest = nearest_codes(x, step.T.reshape(-1), low.T.reshape(-1), codes, tries.top)
    return nearest.T.reshape(-1, BLOCK).astype(np.uint8)
