"""The blocks of Q4_1 and Q5_1: 32 weights, a float16 scale ``d`` and a float16 offset ``m``; w = d * q + m.

``m`` is the block's minimum where no importance is given; ggml calls it so.
"""

import numpy as np

from fourcc.format import Array, Floats
from fourcc.formats.layouts.error_bounds import F16_LEAST, extent, largest
from fourcc.formats.searches.affine_search import affine_extent, affine_rows

BLOCK = 32
HALF = BLOCK // 2


@np.errstate(invalid="ignore", over="ignore")  # a foreign file may hold any scale
def decode_blocks(blocks: Array, codes: Array) -> Floats:
    """Blocks (rows, cols / 32) and their codes (rows, cols) -> float32 (rows, cols)."""
    w = codes.astype(np.float32).reshape(*blocks.shape, BLOCK)
    w *= blocks["d"].astype(np.float32)[..., None]
    w += blocks["m"].astype(np.float32)[..., None]
    return w.reshape(codes.shape)


@np.errstate(over="ignore")  # d and m may be infinite in float16: refused
def encode_blocks(w: Floats, weights: Floats | None, blocks: Array, top: int) -> Array:
    """Fills d and m of some blocks, and returns their codes.

    Args:
        w: weights (n, 32).
        weights: what their errors count, (n, 32), or None.
        blocks: records (n,).
        top: largest code.

    Returns:
        The codes (n, 32), uint8.
    """
    blocks["d"], blocks["m"], codes = affine_extent(w, top) if weights is None else affine_rows(w, weights, top)
    return codes


def bound_of_codes(w: Array, top: int) -> Array:
    """Half a step of extent / top, and the errors of d and m in float16.

    Args:
        w: float64 (rows, cols).
        top: largest code.
    """
    rounding = largest(w, 1, BLOCK) * (2**-11 + 2**-20) + (top + 1) * F16_LEAST
    return extent(w, 1, BLOCK) * (1 / (2 * top) + 2**-11 + 2**-16) + rounding
