"""Packs the codes of a row into bytes, and unpacks them, as `fourcc.part.Packing` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fourcc.arrays import Array
    from fourcc.part import Packing

GROUP = 8  # codes of any number of bits that fill whole bytes


def pack(codes: Array, packing: Packing) -> Array:
    """Packs codes; unused bits of a row's last byte are 0.

    Args:
        codes: unsigned integers (rows, n), each at most `packing.top`.
        packing: how they share bytes.

    Returns:
        uint8 (rows, bytes).
    """
    nbytes = packing.nbytes(codes.shape[1])
    if packing.bits == 8:
        return codes.astype(np.uint8, copy=False)
    if not packing.bits:
        digits = _padded(codes, nbytes * packing.digits).reshape(len(codes), nbytes, packing.digits)
        sums: Array = (digits * _powers(packing)).sum(axis=2, dtype=np.uint8)
        return sums
    if 8 % packing.bits:
        return _pack_across_bytes(codes, packing.bits)[:, :nbytes]
    return _pack_fields(codes, nbytes, packing)


def unpack(stored: Array, count: int, packing: Packing) -> Array:
    """The inverse of `pack`.

    Args:
        stored: uint8 (rows, bytes).
        count: codes of a row.
        packing: how they share bytes.

    Returns:
        uint8 (rows, count). A byte that no encoder gives, as a damaged file may hold, gives digits all the same.
    """
    if packing.bits == 8:
        return stored[:, :count]
    if not packing.bits:
        digits = stored[:, :, None] // _powers(packing) % packing.base  # (rows, bytes, digits)
        return digits.astype(np.uint8).reshape(len(stored), -1)[:, :count]
    if 8 % packing.bits:
        return _unpack_across_bytes(stored, packing.bits)[:, :count]
    return _unpack_fields(stored, packing)[:, :count]


def _pack_fields(codes: Array, nbytes: int, packing: Packing) -> Array:
    """Codes of 1, 2 or 4 bits: each byte holds whole codes."""
    rows, fields = len(codes), 8 // packing.bits
    full = np.ascontiguousarray(_padded(codes, nbytes * fields))
    if packing.run == 1:  # the neighbours that share a byte are one word
        words = full.view(f"<u{fields}")
        stored = np.zeros_like(words)
        for shift in _moves(packing):
            stored |= words >> shift if shift >= 0 else words << -shift
        return stored.astype(np.uint8)
    runs = _in_words(full, packing.run).reshape(rows, nbytes // packing.run, fields, -1)
    held = np.zeros_like(runs[:, :, 0])
    for field in range(fields):
        for word in range(held.shape[2]):
            held[:, :, word] |= runs[:, :, field, word] << field * packing.bits
    return held.view(np.uint8).reshape(rows, nbytes)


def _unpack_fields(stored: Array, packing: Packing) -> Array:
    """The inverse of `_pack_fields`."""
    rows, nbytes = stored.shape
    fields = 8 // packing.bits
    if packing.run == 1:
        words, codes = stored.astype(f"<u{fields}"), np.zeros((rows, nbytes), f"<u{fields}")
        for shift in _moves(packing):
            codes |= words << shift if shift >= 0 else words >> -shift
        codes &= _repeated(packing.top, codes.dtype)
    else:
        runs = _in_words(np.ascontiguousarray(stored), packing.run).reshape(rows, nbytes // packing.run, -1)
        top = _repeated(packing.top, runs.dtype)
        codes = np.empty((rows, runs.shape[1], fields, runs.shape[2]), runs.dtype)
        for field in range(fields):
            for word in range(runs.shape[2]):
                codes[:, :, field, word] = runs[:, :, word] >> field * packing.bits & top
    return codes.view(np.uint8).reshape(rows, nbytes * fields)


def _moves(packing: Packing) -> list[int]:
    """Bits by which each code moves down, from its byte of a word of neighbours to its place in their one byte."""
    places = range(0, 8, packing.bits)
    return [8 * code - place for code, place in enumerate(reversed(places) if packing.high_first else places)]


def _in_words(stored: Array, run: int) -> Array:
    """Bytes (rows, n) as words, eight at a time where runs allow it."""
    return stored.view("<u8" if run % 8 == 0 else np.uint8)


def _repeated(top: int, dtype: np.dtype[Any]) -> Array:
    """A word of which each byte is `top`."""
    return np.array(top * (((1 << 8 * dtype.itemsize) - 1) // 255), dtype)


def _powers(packing: Packing) -> Array:
    powers: Array = np.array([packing.base**digit for digit in range(packing.digits)])
    return powers


def _pack_across_bytes(codes: Array, bits: int) -> Array:
    """Eight codes of 3, 5, 6 or 7 bits fill as many bytes as a code has bits."""
    rows, groups = len(codes), -(-codes.shape[1] // GROUP)
    eights = _padded(codes, groups * GROUP).reshape(rows, groups, GROUP).astype(np.uint64)
    words = np.zeros((rows, groups), "<u8")
    for index in range(GROUP):
        words |= eights[:, :, index] << np.uint64(bits * index)
    return words[:, :, None].view(np.uint8)[:, :, :bits].reshape(rows, groups * bits)


def _unpack_across_bytes(stored: Array, bits: int) -> Array:
    rows, groups = len(stored), -(-stored.shape[1] // bits)
    words = np.zeros((rows, groups, GROUP), np.uint8)
    words[:, :, :bits] = _padded(stored, groups * bits).reshape(rows, groups, bits)
    shifts = np.arange(0, bits * GROUP, bits, dtype=np.uint64)
    codes = words.view("<u8") >> shifts & np.uint64((1 << bits) - 1)  # (rows, groups, 8)
    return codes.astype(np.uint8).reshape(rows, groups * GROUP)


def _padded(values: Array, count: int) -> Array:
    """Rows of `count` bytes, the new ones 0."""
    if values.shape[1] == count:
        return values.astype(np.uint8, copy=False)
    full = np.zeros((len(values), count), np.uint8)
    full[:, : values.shape[1]] = values
    return full
