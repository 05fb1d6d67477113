"""Packs codes of 4 or 8 bits into 32-bit words of weight-only checkpoints; `fourcc.sources.packed_words` unpacks."""

from __future__ import annotations

import numpy as np

from fourcc.arrays import Array
from fourcc.packing import pack
from fourcc.part import Packing
from fourcc.sources.packed_words import AWQ_ORDER

WORD = 4  # bytes


def packed_along(codes: Array, bits: int) -> Array:
    """Codes packed along the rows, low bits first, the last word filled with 0: uint8 (n, m) -> int32 (n, words)."""
    stored = pack(codes, Packing(bits))  # (n, bytes)
    short = -stored.shape[1] % WORD
    filled = np.pad(stored, ((0, 0), (0, short)))
    return np.ascontiguousarray(filled).view("<i4")


def packed_down(codes: Array, bits: int) -> Array:
    """Codes packed down the columns, likewise: uint8 (n, m) -> int32 (words, m)."""
    return np.ascontiguousarray(packed_along(np.ascontiguousarray(codes.T), bits).T)


def packed_awq(codes: Array) -> Array:
    """4-bit codes along the rows in AWQ's order of nibbles: uint8 (n, 8 m) -> int32 (n, m)."""
    eights = codes.reshape(len(codes), -1, 8)
    return packed_along(np.ascontiguousarray(eights[:, :, AWQ_ORDER]).reshape(codes.shape), 4)
