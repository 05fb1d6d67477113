"""Writing a piece of a part at its place, beside other processes that write its neighbours.

File systems that several machines share keep pages, not bytes, apart: two machines that write into one page may undo
each other's work. So a worker writes whole pages only. The bytes at both ends, which share a page, or the chunk of a
checksum, with another piece, are given back: the process that hands out the work writes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import attrs

from fourcc.container.layout import CHUNK, PartSummer
from fourcc.errors import ClusterError
from fourcc.files.descriptors import BINARY, write_some
from fourcc.files.write import errors_named

PAGE = 1 << 16  # bytes; larger than the pages of any system that this runs on

Put = Callable[[int, memoryview], None]  # (offset in the file, bytes)


@attrs.frozen
class Written:
    """The rest of the work on a piece of a part, once its whole pages are written.

    Attributes:
        start: offset in the part of the piece's first byte.
        nbytes: its length.
        head: the bytes at its start that were not written.
        tail: those at its end.
        first_chunk: number of the first chunk of the part that lies in the piece.
        sums: the checksums of the chunks that lie in the piece.
    """

    start: int
    nbytes: int
    head: bytes
    tail: bytes
    first_chunk: int
    sums: bytes


class PieceWriter:
    """Takes the bytes of a piece of a part in order.

    Args:
        tensor: the tensor's name.
        part: the part's.
        place: offset of the part in the file.
        start: of the piece in the part.
        stop: behind the piece in the part.
        nbytes: of the part.
        put: writes whole pages.
    """

    def __init__(self, tensor: str, part: str, place: int, start: int, stop: int, nbytes: int, put: Put) -> None:
        self._start, self._put, self._place = start, put, place
        first = -(-start // CHUNK)
        end = -(-stop // CHUNK) if stop == nbytes else stop // CHUNK
        self._chunks = range(first, max(first, end))
        inner = (min(first * CHUNK, stop), min(max(first, end) * CHUNK, stop)) if self._chunks else (stop, stop)
        self._summed = inner
        low, high = -(-(place + inner[0]) // PAGE) * PAGE, (place + inner[1]) // PAGE * PAGE
        self._low, self._high = (low - place, high - place) if low < high else (stop, stop)
        self._summer = PartSummer(tensor, part, first)
        self._at = start
        self._head, self._tail = bytearray(), bytearray()

    def update(self, data: memoryview) -> None:
        """Takes the next bytes."""
        at, end = self._at, self._at + len(data)
        self._at = end
        self._head += data[: max(0, self._low - at)]
        low, high = min(max(self._low, at), end), min(max(self._high, at), end)
        if low < high:
            self._put(self._place + low, data[low - at : high - at])
        self._tail += data[max(0, self._high - at) :]
        first, last = (min(max(each, at), end) - at for each in self._summed)
        self._summer.update(data[first:last])

    def finish(self) -> Written:
        """The rest of the work. The caller has seen to it that all bytes came."""
        sums = self._summer.finish() if self._chunks else b""
        return Written(
            self._start, self._at - self._start, bytes(self._head), bytes(self._tail), self._chunks.start, sums
        )


class SharedFile:
    """A file that several processes write, opened by its name; a context manager.

    Args:
        path: of the file, which exists.
        marker: of the work: where it is gone, the work has ended, and maybe other work writes this file.
        flush: whether the bytes are to be on the disk when the block is left: another machine reads them.
    """

    def __init__(self, path: Path, marker: Path, *, flush: bool) -> None:
        self._path, self._marker, self._flush, self._fd = path, marker, flush, -1

    def __enter__(self) -> Self:
        with errors_named(self._path, "open"):
            self._fd = os.open(self._path, os.O_WRONLY | BINARY)
        return self

    def write_at(self, offset: int, data: memoryview) -> None:
        """Writes all of `data` at an offset. Raises ClusterError where the work has ended."""
        if not self._marker.exists():
            raise ClusterError("the work was ended while a worker was at it", file=self._path)
        with errors_named(self._path, "write"):
            while data:
                count = write_some(self._fd, data, offset)
                offset, data = offset + count, data[count:]

    def __exit__(self, kind: object, *_: object) -> None:
        fd, self._fd = self._fd, -1
        with errors_named(self._path, "finish"):
            try:
                if self._flush and kind is None:
                    os.fsync(fd)
            finally:
                os.close(fd)
