"""Loads of windows: numbers of twelve bits, each of which begins a few bits behind the one before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, read
from fourcc.kernels.simd.operation import ADDRESS, INTS, Operation, operation

WIDE = 12
MASK = (1 << WIDE) - 1


def window_bytes(bits: int) -> int:
    """Bytes that are read for sixteen windows `bits` bits apart: 8 or 16, some of them in vain."""
    return 8 if 15 * bits + WIDE <= 64 else 16


def _load_windows(bits: int) -> Operation:
    """The operation for windows that begin `bits` bits apart."""
    first = [bits * lane // 8 for lane in range(16)]
    shifts = [bits * lane % 8 for lane in range(16)]

    @operation(ADDRESS, returns=INTS)
    def load_windows(address: int) -> Lanes:
        """Sixteen windows of 12 bits as int32, the first at the lowest bit of the byte at an address."""
        raw = read(address, "|u1", window_bytes(bits)).astype(np.int32)
        words = np.array([raw[at] | raw[at + 1] << 8 | raw[at + 2] << 16 for at in first])
        windows: Lanes = (words >> np.array(shifts) & MASK).astype(np.int32)
        return windows

    @load_windows.lowered
    def _(b: Builder, address: Value) -> Value:
        raw = b.load_from(address, vector("i8", window_bytes(bits)))
        spread = b.pick(raw, [at + each for at in first for each in (0, 1, 2, 2)])
        words = b.bitcast(spread, llvm_type(INTS))
        return b.and_(b.lshr(words, b.constant(words.type, shifts)), b.constant(words.type, MASK))

    load_windows.meaning.__qualname__ = f"load_windows_{bits}"
    return load_windows


load_windows: dict[int, Callable[[int], Lanes]] = {bits: _load_windows(bits) for bits in (2, 3, 4)}
