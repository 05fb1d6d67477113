"""The layout of all three formats: 8-bit codes, one float32 scale for each row.

::

    scales   (rows,) float32       the largest |w| of the row / 127
    codes    (rows, cols) int8     -127 .. 127

Decode: w = scale * code, in float32. Encode: code = w / scale, rounded half to even.
The length of a row is a multiple of 16.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, FormatSpec, Geometry, Part, Parts

BLOCK = 16
TOP = np.float32(127)


def spec(tag: str) -> FormatSpec:
    """The declaration of a format with this layout."""
    return FormatSpec(
        tag=tag,
        name="row scales",
        summary="8-bit codes, one float32 scale for each row",
        block=(1, BLOCK),
        parts=(Part("scales", "<f4", tail=lambda _: ()), Part("codes", "|i1", tail=lambda geom: (geom.cols,))),
    )


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored integers, int8 (rows, cols)."""
    return parts["codes"]


@np.errstate(over="ignore", invalid="ignore")  # a damaged file may hold any scale
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales (rows,) and codes (rows, cols) -> float32 (rows, cols)."""
    w: Floats = parts["scales"][:, None] * parts["codes"].astype(np.float32)
    return w


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scales and codes."""
    scales = np.abs(tile).max(axis=1) / TOP  # (rows,)
    divisor = np.where(scales == 0, np.float32(1), scales)[:, None]
    codes = np.rint(tile / divisor).clip(-TOP, TOP)
    return {"scales": scales, "codes": codes.astype(np.int8)}


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of scale = max |w| / 127, its roundings, and a scale that is denormal."""
    largest = np.abs(w).max(axis=1, keepdims=True, initial=0)
    return np.broadcast_to(largest * (1 / 254 + 2.0**-22) + 127 * 2.0**-149, w.shape)
