"""The super-blocks of Q4_K and Q5_K: eight scales and eight minima of 6 bits in 12 bytes, and the search for them.

::

    byte 0 .. 3    bits 5 .. 0: scale j        bits 7 6: high bits of scale j + 4
    byte 4 .. 7    bits 5 .. 0: minimum j      bits 7 6: high bits of minimum j + 4
    byte 8 .. 11   low nibble: low bits of scale j + 4      high nibble: low bits of minimum j + 4      (j = 0 .. 3)

*Minimum* is ggml's word: it is subtracted, so the offset of a sub-block is -dmin * minimum.
"""

from typing import Any

import numpy as np

from fourcc import Array, Blocks, Parts
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest
from fourcc.formats.searches.affine_search import Tries, affine_scale, nearest_codes, weighted_tries
from fourcc.formats.searches.columns import as_float16, as_groups, ordered_sum
from fourcc.formats.searches.importance import error_weights
from fourcc.formats.searches.super_scales import scales_and_minima

BLOCK, SUB = 256, 32  # weights of a super-block, and of one of its sub-blocks
SUBS = BLOCK // SUB
TOP = 63  # largest scale, and largest minimum


def pack_scales(scales: Array, minima: Array) -> Array:
    """Scales and minima (..., 8), below 64, as they are stored: uint8 (..., 12)."""
    scales, minima = scales.astype(np.uint8), minima.astype(np.uint8)
    low, high = scales[..., :4] | (scales[..., 4:] >> 4 << 6), minima[..., :4] | (minima[..., 4:] >> 4 << 6)
    return np.concatenate([low, high, (scales[..., 4:] & 15) | (minima[..., 4:] & 15) << 4], axis=-1)


def scale_of(stored: Array, j: int) -> Any:  # noqa: ANN401 - a number, or a traced value
    """Scale j of 12 bytes, which come first, for block decoders."""
    return stored[j] & 63 if j < 4 else (stored[j + 4] & 15) | (stored[j - 4] >> 6 << 4)


def minimum_of(stored: Array, j: int) -> Any:  # noqa: ANN401 - a number, or a traced value
    """Minimum j of 12 bytes, which come first."""
    return stored[j + 4] & 63 if j < 4 else (stored[j + 4] >> 4) | (stored[j] >> 6 << 4)


def bound_of_codes(w: Array, top: int) -> Array:
    """Eight times half a step of the sub-block, plus the effect of rounding its scale and its minimum.

    Args:
        w: float64 (rows, cols).
        top: largest code.
    """
    return largest(w, 1, SUB) * (8 / top) + largest(w, 1, BLOCK) / 12 + 64 * top * F16_LEAST


@np.errstate(invalid="ignore", over="ignore")  # d and dmin may be infinite in float16: refused
def encode_blocks(blocks: Blocks, tries: Tries) -> Parts:
    """The scales d and dmin, the stored scales, and the codes `q`.

    Where there is no importance, an error counts as much as the weight's magnitude plus the root of its sub-block's
    mean square; `tries` are those of the search in a sub-block then.
    """
    x = as_groups(blocks.w, SUB)  # (32, 8 blocks)
    given = error_weights(blocks, blocks.w, times=2)
    if given is None:
        mean = np.sqrt(ordered_sum(x * x) / np.float32(SUB))
        scale, offset, codes = affine_scale(x, mean + np.abs(x), tries)
        total = None
    else:
        counted = as_groups(given, SUB)
        scale, offset, codes = affine_scale(x, counted, weighted_tries(tries.top))
        total = ordered_sum(counted)
    (d, scales), (dmin, minima) = scales_and_minima(scale, offset, total, SUBS, TOP)
    scale, offset = as_float16(d) * scales, -as_float16(dmin) * minima  # (8, blocks)
    nearest = nearest_codes(x, scale.T.reshape(-1), offset.T.reshape(-1), codes, tries.top)
    q = nearest.T.reshape(-1, BLOCK).astype(np.uint8)
    return {"d": d, "dmin": dmin, "scales": pack_scales(scales.T, minima.T), "q": q}
