"""Positioned reads of files that may be cut, replaced or extended while they are read, or come from elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fourcc.errors import InputError, UsageError
from fourcc.files.backing import Identity, backing_of
from fourcc.files.descriptors import BINARY, LONGEST, read_into


class ReadFile:
    """A regular file open for reading; threads may share it, since reads use no common position.

    Args:
        path: symbolic links are followed.
        error: the class of the errors about the file.
        fd: an open descriptor, which this object then owns; None: the path is opened.

    Raises:
        InputError: (of class `error`) it is not a regular file.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, error: type[InputError] = InputError, fd: int | None = None) -> None:
        self.path = path
        self._error = error
        self._backing = backing_of(path) if fd is None else None
        flags = os.O_RDONLY | BINARY | getattr(os, "O_NONBLOCK", 0)
        self.fd = os.open(path, flags) if fd is None else fd
        status = os.fstat(self.fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise error("not a regular file", file=path)
        self.size = status.st_size
        self._identity = _identity(status)

    def read(self, offset: int, count: int) -> bytearray:
        """Exactly `count` bytes.

        Raises:
            InputError: (of class `error`) the file ends earlier. The length is checked before memory is allocated.
            UsageError: it was closed.
            OSError: the system cannot read them; the message has the file and the offset. Or they come from elsewhere
                (`fourcc.files.backing`), and cannot be had.
        """
        if self.closed:
            raise UsageError("the file is closed", file=self.path, hint="Open it again.")
        if offset + count > self.size:
            raise self._early(self.size, offset + count - self.size)
        if self._backing is None:
            return self._read(offset, count)
        with self._backing.held(offset, count):
            return self._read(offset, count)

    def _read(self, offset: int, count: int) -> bytearray:
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            got = self._read_into(rest, offset)
            if not got:
                raise self._early(offset, len(rest))
            offset, rest = offset + got, rest[got:]
        return data

    def _read_into(self, run: memoryview, offset: int) -> int:
        try:
            return read_into(self.fd, run, offset)
        except OSError as error:
            what = f"{error.strerror or error} (reading {min(len(run), LONGEST)} bytes at byte {offset})"
            raise OSError(error.errno, what, str(self.path)) from error

    def _early(self, offset: int, lacking: int) -> InputError:
        return self._error("the file ends too early", file=self.path, offset=offset, expected=f"{lacking} more bytes")

    def fill(self) -> None:
        """Has all bytes in the file, where they come from elsewhere: for who reads or maps its descriptor."""
        if self._backing is not None:
            self._backing.fill()

    def changed(self) -> bool:
        """Whether the open file was written to or cut. Another file that took its name does not matter."""
        return self._backing is None and _identity(os.fstat(self.fd)) != self._identity

    def cut(self) -> bool:
        """Whether the open file is shorter than it was."""
        return self._backing is None and os.fstat(self.fd).st_size < self.size

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self.fd < 0

    def close(self) -> None:
        """Closes the file; may be called again."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def identity(path: Path) -> Identity:
    """Device, inode, size and time of change: they tell a file from others, and from itself after a change.

    A file whose bytes come from elsewhere has the identity that it has there.
    """
    backing = backing_of(path)
    return _identity(path.stat()) if backing is None else backing.identity


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
