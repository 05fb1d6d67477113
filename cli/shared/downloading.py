"""Progress of downloads on stderr, whichever command has to download."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from fourcc.hub import telling

if TYPE_CHECKING:
    from fourcc.cli.render.progress import Progress


class Downloads:
    """Shows a line for the file that is being downloaded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._name = ""
        self._line: Progress | None = None

    def __call__(self, name: str, done: int, total: int) -> None:
        """Shows that `done` of a file's `total` bytes are here."""
        with self._lock:
            if self._line is None or name != self._name:
                self._begin(name, total)
            if self._line is not None:
                self._line(name, done, total)
            if done >= total:
                self._end()

    def _begin(self, name: str, total: int) -> None:
        from fourcc.cli.render.progress import Progress

        self._end()
        self._name, self._line = name, Progress("downloading", total, quiet=False)

    def _end(self) -> None:
        if self._line is not None:
            self._line.clear()
            self._line = None


def tell(*, quiet: bool) -> None:
    """Shows every download of this process on stderr."""
    telling.listener = None if quiet else Downloads()
