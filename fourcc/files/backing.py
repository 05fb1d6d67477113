"""Files whose bytes come from elsewhere when they are read, such as over a network.

Such a file lies on the disk with its true length and holes; whoever backs it fills the holes before they are read. So
every reader sees a plain file, and whatever asks for its length is told the truth.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

Identity = tuple[int | str, ...]


class Backing(Protocol):
    """Fills a file."""

    @property
    def identity(self) -> Identity:
        """What tells the file's contents from any other: it stays while the contents do."""

    def held(self, offset: int, count: int) -> AbstractContextManager[None]:
        """While it is open, these bytes lie in the file. Raises OSError or FourccError where they cannot be had."""

    def use_whole(self) -> None:
        """Says that all weights are about to be used, tensor after tensor."""

    def digest(self) -> bytes:
        """XXH3-128 of the whole file."""


_BACKINGS: dict[str, Backing] = {}  # absolute path -> who fills the file


def back(path: Path, backing: Backing) -> None:
    """Has the file at a path filled by `backing` from now on."""
    _BACKINGS[os.path.abspath(path)] = backing


def let_go(paths: Iterable[Path]) -> None:
    """Forgets who fills the files at some paths."""
    for path in paths:
        _BACKINGS.pop(os.path.abspath(path), None)


def backing_of(path: Path) -> Backing | None:
    """Who fills the file at a path; None for a plain file."""
    return _BACKINGS.get(os.path.abspath(path)) if _BACKINGS else None


def use_whole(paths: Iterable[Path]) -> None:
    """Says that all weights of some files are about to be used; plain files are passed over."""
    for path in paths:
        backing = backing_of(path)
        if backing is not None:
            backing.use_whole()
