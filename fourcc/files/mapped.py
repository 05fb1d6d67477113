"""Arrays that are mapped from files, of which no more than a run is resident at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fourcc.arrays import Array

RUN = 4 << 20  # bytes of the rows that are looked at together


def runs_of_rows(matrix: Array, order: Array | None = None) -> Iterator[tuple[int, Array]]:
    """Runs of rows of a matrix, each with the number of its first row; what is mapped is let go after every run.

    Args:
        matrix: of two dimensions.
        order: integers, the rows in the order in which they come, as copies; None: from the first on.
    """
    step = max(1, RUN // max(1, matrix[:1].nbytes))
    for first in range(0, len(matrix), step):
        yield first, matrix[first : first + step] if order is None else matrix[order[first : first + step]]
        let_go(matrix)


def let_go(array: Array) -> None:
    """Lets a mapped array's bytes be resident no more: they come from the file again when they are next read.

    Nothing happens to an array that is not mapped, or where the system has no such advice.
    """
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
