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
    """Fills a file.

    Attributes:
        known_digest: XXH3-128 of the whole file, where it was taken or is known from before; else None.
    """

    known_digest: bytes | None

    @property
    def identity(self) -> Identity:
        """Numbers and words that tell the file's contents from any other; they stay while the contents do."""

    def held(self, offset: int, count: int) -> AbstractContextManager[None]:
        """While it is open, these bytes lie in the file. Raises OSError or FourccError where they cannot be had."""

    def fill(self) -> None:
        """Has all bytes in the file, for readers that go by its descriptor. Raises as `held` does."""

    def use_whole(self) -> int:
        """Says that all weights are about to be used, tensor after tensor; gives the bytes of disk that this takes."""

    def digest(self) -> bytes:
        """XXH3-128 of the whole file."""


_BACKINGS: dict[str, Backing] = {}  # absolute path -> who fills the file
_SPELLINGS: dict[str, str] = {}  # folder -> what it is called; kept, for errors that come late


def back(path: Path, backing: Backing) -> None:
    """Has the file at a path filled by `backing` from now on."""
    _BACKINGS[str(path.absolute())] = backing


def let_go(paths: Iterable[Path]) -> None:
    """Forgets who fills the files at some paths."""
    for path in paths:
        _BACKINGS.pop(str(path.absolute()), None)


def backing_of(path: Path) -> Backing | None:
    """The backing of the file at a path; None for a plain file."""
    return _BACKINGS.get(str(path.absolute())) if _BACKINGS else None


def use_whole(paths: Iterable[Path]) -> int:
    """Says that all weights of some files are about to be used, and gives the bytes of disk that this takes at once.

    Plain files take none.
    """
    backings = filter(None, map(backing_of, paths))
    return max((backing.use_whole() for backing in backings), default=0)


def call(folder: Path, name: str) -> None:
    """Has messages call what lies in a folder by another name: ``FOLDER/a`` is ``NAMEa``."""
    _SPELLINGS[f"{folder}{os.sep}"] = name
    _SPELLINGS[str(folder)] = name.rstrip("/")


def spelled(text: str) -> str:
    """A text with paths of files that come from elsewhere as they are called there."""
    for folder, name in _SPELLINGS.items():
        text = text.replace(folder, name)
    return text
