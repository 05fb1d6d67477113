"""Reading a GGUF file's head from front to back, in either byte order, a window at a time.

Every count is compared with the bytes that remain, so a false count takes no memory.
"""

from __future__ import annotations

import struct
from typing import Any

from fourcc.errors import SourceError
from fourcc.files.read import ReadFile

MAX_HEAD = 64 << 20  # the largest vocabularies take a quarter
_WINDOW = 1 << 16


class Cursor:
    """A position in a head.

    Args:
        file: an open file.
        limit: bytes that a head may have.

    Attributes:
        file: the open file.
        at: offset of the next byte to read.
        order: ``"<"`` or ``">"``, as struct has it.
    """

    def __init__(self, file: ReadFile, limit: int = MAX_HEAD) -> None:
        self.file = file
        self._limit = limit
        self.at = 0
        self.order = "<"
        self._start, self._window = 0, b""

    def take(self, count: int, what: str) -> bytes:
        """The next bytes."""
        if count > self.file.size - self.at:
            raise self.refusal(f"the file ends within {what}", f"{self.file.size - self.at} bytes", f"{count} bytes")
        if self.at + count > self._limit:
            found, expected = f"more than {self.at} bytes", f"at most {self._limit}"
            raise self.refusal("the head of the file is too long", found, expected)
        self.at += count
        if count > _WINDOW:
            return bytes(self.file.read(self.at - count, count))
        if self.at > self._start + len(self._window):
            self._start = self.at - count
            self._window = bytes(self.file.read(self._start, min(_WINDOW, self.file.size - self._start)))
        begin = self.at - count - self._start
        return self._window[begin : begin + count]

    def number(self, code: str, what: str) -> Any:  # noqa: ANN401 - int, float or bool, as the code says
        """The next number of a struct code."""
        layout = self.order + code
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))[0]

    def count(self, least: int, what: str) -> int:
        """The next u64, a count of items that take at least `least` bytes each."""
        count: int = self.number("Q", what)
        if count * least > self.file.size - self.at:
            most = (self.file.size - self.at) // least
            raise self.refusal(f"{what} are too many", count, f"at most {most}", back=8)
        return count

    def text(self, what: str) -> bytes:
        """A string's bytes."""
        return self.take(self.count(1, f"the bytes of {what}"), what)

    def refusal(self, what: str, found: object, expected: object = None, *, back: int = 0) -> SourceError:
        """The error for the value at this position, or `back` bytes before it."""
        return SourceError(what, file=self.file.path, offset=self.at - back, found=found, expected=expected)
