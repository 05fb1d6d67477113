"""Two 4-bit codes in a byte: which is where, and back. A row begins with a byte; what an odd row leaves over is 0."""

import numpy as np

from fourcc.format import Array


def high_first(packed: Array, cols: int) -> Array:
    """Codes uint8 (rows, cols) of bytes (rows, cols / 2) whose high nibble is the even column's."""
    return _beside_each_other(packed >> 4, packed & 15, cols)


def low_first(packed: Array, cols: int) -> Array:
    """Codes uint8 (rows, cols) of bytes (rows, cols / 2) whose low nibble is the even column's."""
    return _beside_each_other(packed & 15, packed >> 4, cols)


def pack_high_first(codes: Array) -> Array:
    """The bytes of codes uint8 (rows, cols), the even column's in the high nibble."""
    even, odd = _even_and_odd(codes)
    packed: Array = even << 4 | odd
    return packed


def pack_low_first(codes: Array) -> Array:
    """The bytes of codes uint8 (rows, cols), the even column's in the low nibble."""
    even, odd = _even_and_odd(codes)
    packed: Array = even | odd << 4
    return packed


def _beside_each_other(even: Array, odd: Array, cols: int) -> Array:
    pairs = np.stack([even, odd], axis=-1)  # (rows, cols / 2, 2)
    return pairs.reshape(len(even), 2 * even.shape[1])[:, :cols]


def _even_and_odd(codes: Array) -> tuple[Array, Array]:
    """Codes of even and of odd columns, (rows, cols / 2) each."""
    padded = np.pad(codes, ((0, 0), (0, codes.shape[1] % 2)))
    return padded[:, 0::2], padded[:, 1::2]
