"""Descriptors of files as every system has them: bytes as they are, reads and writes at an offset, a writer's lock.

Linux and macOS read and write at an offset without moving a position that threads share. Windows cannot: there a lock
holds the position while it is used. Windows has no advisory locks either, and renames no file that is open.
"""

from __future__ import annotations

import os
import threading
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

BINARY = getattr(os, "O_BINARY", 0)  # without it Windows changes the bytes 10 and 26
LONGEST = 1 << 30  # bytes; Linux moves at most 2 GiB - 4 KiB at once
HAS_LOCKS = fcntl is not None  # where files have locks, an open file can be renamed, too
_POSITION = threading.Lock()


def read_into(fd: int, run: memoryview, offset: int) -> int:
    """Reads at most `LONGEST` bytes at an offset into memory; gives their number, 0 at the end of the file."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [run[:LONGEST]], offset)
    with _POSITION:
        os.lseek(fd, offset, os.SEEK_SET)
        data = os.read(fd, min(len(run), LONGEST))
    run[: len(data)] = data
    return len(data)


def write_some(fd: int, run: memoryview, offset: int) -> int:
    """Writes at most `LONGEST` bytes at an offset; gives their number."""
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, run[:LONGEST], offset)
    with _POSITION:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, run[:LONGEST])


def lock(fd: int) -> None:
    """Takes the lock of a file or folder, which shows that its writer lives.

    Raises:
        BlockingIOError: another process has it.
        OSError: the file system has no locks.
    """
    if HAS_LOCKS:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
