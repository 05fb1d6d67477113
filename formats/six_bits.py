"""Eight scales and eight minima of 6 bits in 12 bytes, as ggml's 4- and 5-bit super-blocks have them.

::

    byte 0 .. 3    bits 5 .. 0: scale j        bits 7 6: high bits of scale j + 4
    byte 4 .. 7    bits 5 .. 0: minimum j      bits 7 6: high bits of minimum j + 4
    byte 8 .. 11   low nibble: low bits of scale j + 4      high nibble: low bits of minimum j + 4      (j = 0 .. 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fourcc.format import Array


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
