"""Codes of 1, 2 or 4 bits as ggml packs them: a run of bytes holds its first codes in the lowest bits.

::

    4 bits, runs of 16 bytes      byte j: low nibble code j, high nibble code j + 16; the next run: codes 32 ...
    2 bits, runs of 32 bytes      byte j: bits 1 0 code j, bits 3 2 code j + 32, bits 5 4 code j + 64 ...
"""

import numpy as np

from fourcc.format import Array


def unpacked(stored: Array, run: int, bits: int) -> Array:
    """The codes of packed bytes.

    >>> unpacked(np.array([0x31, 0x42], np.uint8), run=2, bits=4)
    array([1, 2, 3, 4], dtype=uint8)

    Args:
        stored: uint8 (..., bytes).
        run: bytes whose lowest fields hold neighbouring codes; likewise the next fields.
        bits: of a code.

    Returns:
        uint8 (..., 8 / bits * bytes).
    """
    *lead, size = stored.shape
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]  # (8 / bits, 1)
    codes = stored.reshape(*lead, size // run, 1, run) >> shifts
    codes &= np.uint8((1 << bits) - 1)
    return codes.reshape(*lead, size * 8 // bits)


def packed(codes: Array, run: int, bits: int) -> Array:
    """The inverse of `unpacked`: codes (..., n), each below 2^bits -> uint8 (..., n * bits / 8)."""
    *lead, size = codes.shape
    stored_bytes = size * bits // 8
    fields = codes.astype(np.uint8).reshape(*lead, stored_bytes // run, 8 // bits, run)
    fields <<= np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    stored: Array = np.bitwise_or.reduce(fields, axis=-2)
    return stored.reshape(*lead, stored_bytes)


def bits_of(words: Array) -> Array:
    """The bits of words, lowest first: uint32 (...) -> uint8 (..., 32)."""
    return (words[..., None] >> np.arange(32, dtype=np.uint32) & 1).astype(np.uint8)


def word_of(bits: Array) -> Array:
    """The inverse of `bits_of`: 0 or 1, (..., 32) -> uint32 (...)."""
    words: Array = np.packbits(np.ascontiguousarray(bits), axis=-1, bitorder="little").view("<u4")[..., 0]
    return words
