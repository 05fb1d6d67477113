"""The room on the disk that a conversion takes, and whether it is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs

from fourcc.files.write import RESERVE


@attrs.frozen
class DiskForecast:
    """Room on the disk.

    Attributes:
        output: bytes of what is written. Until it is complete it has another name, and takes no more room.
        folder: where it is written; None: that was not said.
        free: bytes that are free there.
    """

    output: int
    folder: Path | None = None
    free: int | None = None

    @property
    def fits(self) -> bool | None:
        """Whether there is room, with the reserve that a conversion asks for; None where the place is not known."""
        return None if self.free is None else self.output + RESERVE <= self.free


def disk_room(nbytes: int, output: Path | None) -> DiskForecast:
    """The room for an output of some bytes.

    Args:
        nbytes: of the output.
        output: the file or folder to write; None: not known. It need not exist, nor its folder.
    """
    if output is None:
        return DiskForecast(nbytes)
    above = (each for each in output.absolute().parents if each.is_dir())
    folder = next(above, None)
    try:
        free = None if folder is None else shutil.disk_usage(folder).free
    except OSError:
        free = None
    return DiskForecast(nbytes, folder, free)
