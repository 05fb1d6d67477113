"""The rate at which a source's bytes are read, measured on a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from fourcc.files.backing import backing_of
from fourcc.forecasting.figure import Figure

PIECE = 4 << 20  # bytes of a read
SECONDS = 0.1  # that reading may take
MOST = 16  # pieces
LEAST = 8 * PIECE  # of a file that is worth measuring


def file_reading(files: Sequence[Path]) -> Figure | None:
    """Bytes a second from the largest file; None where all are small, or none can be read, or it has holes.

    None, too, where a file's bytes lie elsewhere: looking would fetch them. What lies in the system's cache is read
    faster than the rest, so the figure is of the file as it is now.
    """
    if any(map(backing_of, files)):
        return None
    try:
        sizes = {path: path.stat().st_size for path in files}
        largest = max(sizes, key=lambda path: sizes[path])
        if sizes[largest] < LEAST or _has_holes(largest):
            return None
        return _measured(largest, sizes[largest])
    except (OSError, ValueError):  # ValueError: no files
        return None


def _has_holes(path: Path) -> bool:
    """Whether much of a file takes no room on the disk, as that of a file that is still to be downloaded."""
    status = path.stat()
    return 512 * getattr(status, "st_blocks", status.st_size) < status.st_size // 2


def _measured(path: Path, size: int) -> Figure:
    """Pieces from all over the file, until the time is over."""
    rates: list[float] = []
    begin = perf_counter()
    with path.open("rb", buffering=0) as file:
        for number in range(MOST):
            file.seek(size // MOST * number)
            began = perf_counter()
            done = len(file.read(PIECE))
            rates.append(done / max(1e-9, perf_counter() - began))
            if perf_counter() - begin > SECONDS:
                break
    mean = len(rates) / sum(1 / rate for rate in rates)
    return Figure(min(mean / 2, *rates), mean, max(rates), "measured")
