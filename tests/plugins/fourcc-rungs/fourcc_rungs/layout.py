"""The layout of all three formats: 8-bit codes, one float32 scale for each row.

::

    scale    (rows,) float32       the largest |w| of the row / 127
    codes    (rows, cols) int8     -127 .. 127

Decode: w = scale * code, in float32. Encode: code = w / scale, rounded half to even.
The length of a row is a multiple of 16.
"""

import numpy as np

from fourcc import Array, Blocks, Geometry, Parts, per_row, per_weight

BLOCK = 16
LEAST = 2.0**-149  # of float32


def encode(blocks: Blocks) -> Parts:
    """The blocks of some rows (blocks, 16) -> scales (rows,) and codes (blocks, 16)."""
    scale = np.abs(blocks.rows).max(axis=1) / 127
    codes = np.rint(blocks.rows / scale.clip(LEAST)[:, None]).clip(-127, 127)
    return {"scale": scale, "codes": codes.reshape(blocks.w.shape).astype(np.int8)}


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of scale = max |w| / 127, its roundings, and a scale that is denormal."""
    largest = np.abs(w).max(axis=1, keepdims=True, initial=0)
    return np.broadcast_to(largest * (1 / 254 + 2.0**-22) + 127 * LEAST, w.shape)


LAYOUT = {
    "summary": "8-bit codes, one float32 scale for each row",
    "block": BLOCK,
    "parts": (per_row("scale", "<f4"), per_weight("codes", "|i1")),
    "short_block": False,
    "encode": encode,
    "bound": bound,
}
