"""One process at a time compiles a kernel; the others wait, and load what it kept.

The lock is the kernel's: a file beside its entry in the cache. The system takes a lock back from a process that ends,
so one that dies holds nobody up, and the wait is bounded anyhow: a process that has waited long compiles by itself.
A lock spares work and nothing else: an entry is written under another name and renamed, with or without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows has none: processes that start together compile the same kernels there
    fcntl = None

PATIENCE = 60.0  # seconds; the longest kernels compile in about five, on a machine with nothing else to do
PAUSE = 0.02  # seconds between two looks


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds a lock file, if it can be had before `PATIENCE` ends; removes it afterwards.

    Args:
        path: of the lock file; nothing is locked where it cannot be made.
    """
    handle = _taken(path)
    try:
        yield
    finally:
        if handle is not None:
            with suppress(OSError):
                path.unlink()  # before the lock ends: whoever takes it next sees that this file is gone
            os.close(handle)


def _taken(path: Path) -> int | None:
    """An open file that is locked, and that is still the one of that name; None: go without."""
    if fcntl is None:
        return None
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        if _locked(handle) and _is_named(handle, path):
            return handle
        os.close(handle)
        time.sleep(PAUSE)
    return None


def _locked(handle: int) -> bool:
    """Whether this process has the lock now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_named(handle: int, path: Path) -> bool:
    """Whether the file is the one of that name: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
