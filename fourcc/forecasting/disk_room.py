"""The room on the disk that a conversion takes, and whether it is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import attrs

from fourcc.files.backing import backing_of
from fourcc.files.write import RESERVE


@attrs.frozen
class DiskForecast:
    """Room on the disk.

    Attributes:
        output: bytes of what is written. Until it is complete it has another name, and takes no more room.
        folder: where it is written; None: that was not said.
        free: bytes that are free there.
        download: bytes of the source that lie elsewhere, and are fetched.
        beside: bytes of these that lie beside the output at once; 0: they go into the hub's cache.
    """

    output: int
    folder: Path | None = None
    free: int | None = None
    download: int = 0
    beside: int = 0

    @property
    def fits(self) -> bool | None:
        """Whether there is room, with the reserve that a conversion asks for; None where the place is not known."""
        return None if self.free is None else self.output + self.beside + RESERVE <= self.free


def disk_room(nbytes: int, output: Path | None, files: Iterable[Path] = (), *, stream: bool = False) -> DiskForecast:
    """The room for an output of some bytes.

    Args:
        nbytes: of the output.
        output: the file or folder to write; None: not known. It need not exist, nor its folder.
        files: the source's.
        stream: whether those that lie elsewhere are used one after the other, beside the output.
    """
    remote = [path.stat().st_size for path in files if backing_of(path) is not None]
    download, beside = sum(remote), max(remote, default=0) * stream
    if output is None:
        return DiskForecast(nbytes, download=download, beside=beside)
    above = (each for each in output.absolute().parents if each.is_dir())
    folder = next(above, None)
    try:
        free = None if folder is None else shutil.disk_usage(folder).free
    except OSError:
        free = None
    return DiskForecast(nbytes, folder, free, download, beside)
