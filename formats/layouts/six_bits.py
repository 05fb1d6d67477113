"""The super-blocks of Q4_K and Q5_K: eight scales and eight minima of 6 bits in 12 bytes, and the search for them.

::

    byte 0 .. 3    bits 5 .. 0: scale j        bits 7 6: high bits of scale j + 4
    byte 4 .. 7    bits 5 .. 0: minimum j      bits 7 6: high bits of minimum j + 4
    byte 8 .. 11   low nibble: low bits of scale j + 4      high nibble: low bits of minimum j + 4      (j = 0 .. 3)

*Minimum* is ggml's word: it is subtracted, so the offset of a sub-block is -dmin * minimum.
"""

from typing import Any

import numpy as np

from fourcc.format import Array, Floats
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.searches.affine_search import Tries, affine_scale, nearest_codes, weighted_tries
from fourcc.formats.searches.columns import as_groups, ordered_sum
from fourcc.formats.searches.super_scales import scales_and_minima

BLOCK, SUB = 256, 32  # weights of a super-block, and of one of its sub-blocks
SUBS = BLOCK // SUB
TOP = 63  # largest scale, and largest minimum


def unpack_scales(stored: Array) -> tuple[Array, Array]:
    """Scales and minima: uint8 (..., 12) -> two of uint8 (..., 8)."""
    scales, minima, rest = stored[..., :4], stored[..., 4:8], stored[..., 8:]
    return (
        np.concatenate([scales & 63, (rest & 15) | (scales >> 6 << 4)], axis=-1),
        np.concatenate([minima & 63, (rest >> 4) | (minima >> 6 << 4)], axis=-1),
    )


def pack_scales(scales: Array, minima: Array) -> Array:
    """The inverse of `unpack_scales`: two of (..., 8), below 64 -> uint8 (..., 12)."""
    scales, minima = scales.astype(np.uint8), minima.astype(np.uint8)
    low, high = scales[..., :4] | (scales[..., 4:] >> 4 << 6), minima[..., :4] | (minima[..., 4:] >> 4 << 6)
    return np.concatenate([low, high, (scales[..., 4:] & 15) | (minima[..., 4:] & 15) << 4], axis=-1)


def scale_of(stored: Array, j: int) -> Any:  # noqa: ANN401 - a number, or a traced value
    """Scale j of one block's 12 bytes, for block decoders."""
    return stored[j] & 63 if j < 4 else (stored[j + 4] & 15) | (stored[j - 4] >> 6 << 4)


def minimum_of(stored: Array, j: int) -> Any:  # noqa: ANN401 - a number, or a traced value
    """Minimum j of one block's 12 bytes."""
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
    """Eight times half a step of the sub-block, plus the effect of rounding its scale and its minimum.

    Args:
        w: float64 (rows, cols).
        top: largest code.
    """
    return largest(w, 1, SUB) * (8 / top) + largest(w, 1, BLOCK) / 12 + 64 * top * F16_LEAST


@np.errstate(invalid="ignore", over="ignore")  # d and dmin may be infinite in float16: refused
def encode_blocks(w: Floats, weights: Floats | None, blocks: Array, tries: Tries) -> Array:
    """Fills d, dmin and the scales of some blocks, and returns their codes.

    Args:
        w: weights (n, 256).
        weights: what their errors count, (n, 256); where None, an error counts as much as the weight's magnitude plus
            the root of its sub-block's mean square.
        blocks: records (n,).
        tries: of the search in a sub-block where `weights` is None.

    Returns:
        The codes (n, 256), uint8.
    """
    x = as_groups(w, SUB)  # (32, 8 n)
    if weights is None:
        mean = np.sqrt(ordered_sum(x * x) / np.float32(SUB))
        scale, offset, codes = affine_scale(x, mean + np.abs(x), tries)
        total = None
    else:
        counted = as_groups(weights, SUB)
        scale, offset, codes = affine_scale(x, counted, weighted_tries(tries.top))
        total = ordered_sum(counted)
    (d, scales), (dmin, minima) = scales_and_minima(scale, offset, total, SUBS, TOP)
    blocks["d"], blocks["dmin"] = d, dmin
    blocks["scales"] = pack_scales(scales.T, minima.T)
    scale, offset = blocks["d"].astype(np.float32) * scales, -blocks["dmin"].astype(np.float32) * minima  # (8, n)
    nearest = nearest_codes(x, scale.T.reshape(-1), offset.T.reshape(-1), codes, tries.top)
    return nearest.T.reshape(-1, BLOCK).astype(np.uint8)
