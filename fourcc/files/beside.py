"""Files of a folder whose contents are not trusted: a name may not lead out of it."""

from __future__ import annotations

import errno
import os
import re
from contextlib import closing
from pathlib import Path

from fourcc.errors import SourceError
from fourcc.files.read import ReadFile

_CACHED = re.compile(r"(?:\.\./)+blobs/[0-9a-f]{40,64}")  # as Hugging Face's cache links its files


def file_in(folder: Path, name: str) -> Path | None:
    """The path of a file in a folder, or None where there is none.

    Args:
        folder: a folder whose contents are not trusted.
        name: a file's name.

    Raises:
        SourceError: it is a symbolic link that leads out of the folder, other than into Hugging Face's cache.
    """
    path = folder / name
    try:
        if path.is_symlink() and not _stays(folder, path):
            raise SourceError(
                "a symbolic link that leads out of its folder",
                file=path,
                found=str(path.readlink()),
                hint="Copy the file into the folder, or name the file itself.",
            )
        return path if path.exists() else None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no file can have that name
            return None
        raise


def contents(path: Path, most: int, what: str) -> bytes:
    """The bytes of a small file.

    Args:
        path: the file.
        most: bytes that it may have.
        what: what it should be, for the message.

    Raises:
        SourceError: it is longer.
    """
    with closing(ReadFile(path, SourceError)) as file:
        if file.size > most:
            raise SourceError(f"too long for {what}", file=path, found=f"{file.size} bytes", expected=f"at most {most}")
        return bytes(file.read(0, file.size))


def _stays(folder: Path, path: Path) -> bool:
    """Whether a link ends in its own folder, or at a file of Hugging Face's cache that it names itself.

    The cache's file has to be a regular one: if it were a link again, it could lead anywhere.
    """
    home, end = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
    if end.is_relative_to(home):
        return True
    link = str(path.readlink())
    named = Path(os.path.normpath(home / link))
    return _CACHED.fullmatch(link) is not None and end == named and (end.is_file() or not os.path.lexists(end))
