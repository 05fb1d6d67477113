"""Files of a folder that came from elsewhere: what a name in it may stand for."""

from __future__ import annotations

import re
from pathlib import Path

from fourcc.errors import SourceError

_CACHED = re.compile(r"(?:\.\./)+blobs/[0-9a-f]{40,64}")  # as Hugging Face's cache links its files


def file_in(folder: Path, name: str) -> Path | None:
    """The path of a folder's file, or None where there is none.

    Args:
        folder: a folder whose contents are not trusted.
        name: a file's name.

    Raises:
        SourceError: it is a symbolic link that leads out of the folder, other than into Hugging Face's cache.
    """
    path = folder / name
    if path.is_symlink():
        link = str(path.readlink())
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside and not _CACHED.fullmatch(link):
            raise SourceError(
                "a symbolic link that leads out of its folder",
                file=path,
                found=link,
                hint="Copy the file into the folder, or name the file itself.",
            )
    return path if path.exists() else None
