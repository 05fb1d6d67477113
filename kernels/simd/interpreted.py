"""Memory of kernels that run uncompiled: plain addresses, read and written through ctypes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

Lanes = NDArray[Any]


def read(address: int, dtype: str, count: int) -> Lanes:
    """A copy of `count` numbers at an address."""
    kind = np.dtype(dtype)
    raw = ctypes.string_at(int(address), kind.itemsize * count)
    return np.frombuffer(raw, kind).copy()


def widened(halves: Lanes) -> Lanes:
    """Float16 as float32. Some machines report a signalling NaN as invalid, which is ignored."""
    with np.errstate(invalid="ignore"):
        return halves.astype(np.float32)


def write(address: int, values: Any) -> None:
    """Stores the bytes of an array at an address."""
    raw = np.ascontiguousarray(values).tobytes()
    ctypes.memmove(int(address), raw, len(raw))


def padded(values: Lanes, lanes: int) -> Lanes:
    """The values, followed by zeros up to `lanes`."""
    out = np.zeros(lanes, values.dtype)
    out[: len(values)] = values
    return out
