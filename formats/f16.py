"""F16: 16-bit IEEE floats, as they are. Layout: `fourcc.formats.families.plain`."""

import numpy as np

from fourcc import Array, Geometry
from fourcc.formats.families.plain import plain
from fourcc.formats.layouts.error_bounds import F16_LEAST


def bound(w: Array, geom: Geometry) -> Array:
    """Half an ulp of 11 significant bits, or of a denormal."""
    return np.abs(w) * 2.0**-11 + F16_LEAST


F16 = plain(
    "F16",
    "16-bit IEEE floats",
    "<f2",
    {"safetensors": "F16", "ggml": 1},
    encoder=True,
    kernel="fourcc.kernels.f16:KERNEL",
    bound=bound,
)
