"""Arrays that begin or end at a forbidden page, so that reading a byte beyond them ends the process."""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Literal, Self

import numpy as np

from fourcc.arrays import Array

Place = Literal["end", "start"]
PLACES: tuple[Place, Place] = ("end", "start")


def guards_work() -> bool:
    """Whether this system can forbid access to pages."""
    return sys.platform != "win32"


class Guarded:
    """Memory with a forbidden page beside it, inside a `with` block; its arrays must not be used after the block."""

    def __init__(self) -> None:
        self._kept: list[tuple[mmap.mmap, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _memory, address in self._kept:
            _protect(address, mmap.PROT_READ | mmap.PROT_WRITE)
        self._kept.clear()

    def hold(self, part: Array, place: Place = "end") -> Array:
        """A read-only copy of a part, directly before or directly after a forbidden page."""
        pages = -(-part.nbytes // mmap.PAGESIZE) + 1
        memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
        whole = np.frombuffer(memory, np.uint8)
        address = whole.ctypes.data + ((pages - 1) * mmap.PAGESIZE if place == "end" else 0)
        first = (pages - 1) * mmap.PAGESIZE - part.nbytes if place == "end" else mmap.PAGESIZE
        inside = whole[first : first + part.nbytes]
        inside[...] = np.frombuffer(part.tobytes(), np.uint8)
        _protect(address, mmap.PROT_NONE if hasattr(mmap, "PROT_NONE") else 0)
        self._kept.append((memory, address))
        held = inside.view(part.dtype).reshape(part.shape)
        held.flags.writeable = False
        return held


def _protect(address: int, rights: int) -> None:
    """Sets the access rights of the page at an address. Raises OSError where the system refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), rights):
        raise OSError(ctypes.get_errno(), "mprotect")
