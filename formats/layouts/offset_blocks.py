"""The blocks of Q4_1 and Q5_1: 32 weights, a float16 scale ``d`` and a float16 offset ``m``; w = d * q + m.

``m`` is the block's minimum where no importance is given; ggml calls it so.
"""

from fourcc import Array, Blocks, Floats
from fourcc.formats.layouts.error_bounds import F16_LEAST, extent, largest
from fourcc.formats.searches.affine_search import affine_extent, affine_rows
from fourcc.formats.searches.importance import error_weights

BLOCK = 32


def scale_and_offset(blocks: Blocks, top: int) -> tuple[Floats, Floats, Array]:
    """Scales (blocks,), offsets (blocks,) and codes 0 .. `top`, uint8 (blocks, 32)."""
    counted = error_weights(blocks, blocks.rows, times=1)
    return affine_extent(blocks.w, top) if counted is None else affine_rows(blocks.w, counted, top)


def bound_of_codes(w: Array, top: int) -> Array:
    """Half a step of extent / top, and the errors of d and m in float16.

    Args:
        w: float64 (rows, cols).
        top: largest code.
    """
    rounding = largest(w, 1, BLOCK) * (2**-11 + 2**-20) + (top + 1) * F16_LEAST
    return extent(w, 1, BLOCK) * (1 / (2 * top) + 2**-11 + 2**-16) + rounding
