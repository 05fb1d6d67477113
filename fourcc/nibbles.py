"""Packs and unpacks 4-bit codes, two a byte. Every row begins with a new byte; an odd row ends with a nibble of 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fourcc.arrays import Array


def high_first(packed: Array, cols: int) -> Array:
    """The codes, uint8 (rows, cols), of bytes (rows, cols / 2) with the even column in the high nibble."""
    return _interleaved(packed >> 4, packed & 15, cols)


def low_first(packed: Array, cols: int) -> Array:
    """The codes, uint8 (rows, cols), of bytes (rows, cols / 2) with the even column in the low nibble."""
    return _interleaved(packed & 15, packed >> 4, cols)


def pack_high_first(codes: Array) -> Array:
    """The bytes of codes uint8 (rows, cols), the even column in the high nibble."""
    even, odd = _even_and_odd(codes)
    packed: Array = even << 4 | odd
    return packed


def pack_low_first(codes: Array) -> Array:
    """The bytes of codes uint8 (rows, cols), the even column in the low nibble."""
    even, odd = _even_and_odd(codes)
    packed: Array = even | odd << 4
    return packed


def _interleaved(even: Array, odd: Array, cols: int) -> Array:
    """Even and odd columns, (rows, cols / 2) each, as one array (rows, cols)."""
    pairs = np.stack([even, odd], axis=-1)  # (rows, cols / 2, 2)
    return pairs.reshape(len(even), 2 * even.shape[1])[:, :cols]


def _even_and_odd(codes: Array) -> tuple[Array, Array]:
    """The even columns and the odd ones, (rows, cols / 2) each; zeros where an odd row has no last column."""
    padded = np.pad(codes, ((0, 0), (0, 1))) if codes.shape[1] % 2 else codes
    return padded[:, 0::2], padded[:, 1::2]
