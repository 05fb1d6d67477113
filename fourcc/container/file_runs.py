"""A container's bytes, which lie in one file, or in the shards of a set: one run of bytes in either case.

Offsets are those of the one file that the shards make together. Parts, blobs and the padding behind them are there;
head, index and tail of such a file are not, as no shard has them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from fourcc.files.read import ReadFile


class Run(NamedTuple):
    """Bytes that lie in one file, up to the next run.

    Attributes:
        begin: offset of the first one, in the whole.
        number: of the file, from 0.
        start: offset of the first one, in that file.
    """

    begin: int
    number: int
    start: int


WHOLE = Run(0, 0, 0)


class FileRuns:
    """Files that are open for reading, as one run of bytes.

    Args:
        files: the files, which this object then owns.
        runs: where their bytes lie, in order; no part or blob lies in two.

    Attributes:
        files: as they were given.
    """

    def __init__(self, files: Sequence[ReadFile], runs: Sequence[Run] = (WHOLE,)) -> None:
        self.files = tuple(files)
        self._runs = runs
        self._begins = [run.begin for run in runs]

    @property
    def size(self) -> int:
        """Length of all files."""
        return sum(file.size for file in self.files)

    def place(self, offset: int) -> tuple[int, int]:
        """Number of the file, from 0, that holds a byte, and the byte's offset there."""
        run = self._runs[max(0, bisect_right(self._begins, offset) - 1)]
        return run.number, run.start + offset - run.begin

    def begin(self, number: int) -> int:
        """Offset, in the whole, of the first byte of a file that is no head."""
        return next(run.begin for run in self._runs if run.number == number)

    def read(self, offset: int, count: int) -> bytearray:
        """Exactly `count` bytes of one run. Raises as `ReadFile.read` does."""
        number, start = self.place(offset)
        return self.files[number].read(start, count)

    @property
    def closed(self) -> bool:
        """Whether the files were closed."""
        return any(file.closed for file in self.files)

    def close(self) -> None:
        """Closes the files; may be called again."""
        for file in self.files:
            file.close()
