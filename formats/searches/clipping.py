"""The search for the share of a matrix's range that one scale for all weights should span, by an importance."""

from collections.abc import Callable

import numpy as np

from fourcc import Floats, Original
from fourcc.formats.layouts.extremes import runs_of_rows

SHARES = [1 - (number / 16) ** 2 for number in range(15)]  # 1 .. 15 / 64, densest near 1

Decoded = Callable[[Floats, np.float32], Floats]  # (rows, share) -> the rows as a file decodes them, float32


def share_of_least_error(original: Original, decoded: Decoded) -> np.float32:
    """The share with the least sum of importance * error^2 over the matrix; of equal ones the first.

    It is 1 where there is no importance. The sum is float64, from the first weight to the last, row after row.

    Args:
        original: the matrix; each row is read once.
        decoded: decodes rows (n, cols) of the matrix, encoded with a share of its range.
    """
    importance, totals = original.aids.importance, np.zeros(len(SHARES))
    if importance is None:
        return np.float32(1)
    for w in runs_of_rows(original):
        for number, share in enumerate(SHARES):
            totals[number] = _added(totals[number], w, decoded(w, np.float32(share)), importance)
    return np.float32(SHARES[min(range(len(SHARES)), key=totals.__getitem__)])  # the first stays where its own is NaN


def _added(total: float, w: Floats, decoded: Floats, importance: Floats) -> float:
    """A sum, to which the weighted squared errors of rows are added one by one."""
    terms = np.subtract(w, decoded, dtype=np.float64)
    terms *= terms
    terms *= importance
    terms[0, 0] += total
    return float(np.add.accumulate(terms.reshape(-1))[-1])
