"""The least and the largest weight of a matrix, for formats with one scale for the whole matrix."""

from collections.abc import Iterator

import numpy as np

from fourcc import Floats, Original

AT_ONCE = 1 << 18  # weights that are read at a time


def extremes(original: Original) -> tuple[np.float32, np.float32]:
    """The least and the largest weight of a matrix that is not empty; reads some rows at a time."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for w in runs_of_rows(original):
        low, high = min(low, w.min()), max(high, w.max())
    return low, high


def runs_of_rows(original: Original) -> Iterator[Floats]:
    """A matrix's rows from the first to the last, some at a time, (step, cols)."""
    rows, step = original.geom.rows, max(1, AT_ONCE // original.geom.cols)
    for first in range(0, rows, step):
        yield original.rows(first, min(rows, first + step))
