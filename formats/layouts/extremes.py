"""The least and the largest weight of a matrix, for formats with one scale for the whole matrix."""

import numpy as np

from fourcc import Original

AT_ONCE = 1 << 18  # weights that are read at a time


def extremes(original: Original) -> tuple[np.float32, np.float32]:
    """The least and the largest weight of a matrix that is not empty; reads some rows at a time."""
    rows, step = original.geom.rows, max(1, AT_ONCE // original.geom.cols)
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for first in range(0, rows, step):
        w = original.rows(first, min(rows, first + step))  # (step, cols)
        low, high = min(low, w.min()), max(high, w.max())
    return low, high
