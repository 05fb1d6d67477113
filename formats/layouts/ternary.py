"""The encoder that ggml's ternary formats share: -d, 0 and d, with d the largest magnitude of the block."""

import numpy as np

from fourcc import Array, Floats, Geometry
from fourcc.formats.layouts.error_bounds import F16_LEAST, largest

HALF = np.float32(0.5)


@np.errstate(divide="ignore", over="ignore")  # 1 / d may be infinite
def nearest(w: Floats) -> tuple[Floats, Array]:
    """Scales (blocks,) and codes 0, 1, 2 of -d, 0, d, uint8 (blocks, weights); halves go away from zero."""
    d = np.abs(w).max(axis=1)
    inverse = 1 / d
    inverse[np.isinf(inverse)] = 0  # d is 0, or so small that it is 0 in float16
    share = w * inverse[:, None]
    codes = np.ones(w.shape, np.uint8)
    codes += share >= HALF
    codes -= share <= -HALF
    return d, codes


def bound_of(w: Array, geom: Geometry, block: int) -> Array:
    """The distance to the nearest level, and the errors of the float16 scale and of a rounded share."""
    peak, magnitude = largest(w, 1, block), np.abs(w)
    off: Array = np.minimum(magnitude, peak - magnitude) + peak * (2**-11 + 2**-19)
    return off + F16_LEAST
