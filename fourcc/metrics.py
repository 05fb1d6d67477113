"""Error measures: how far decoded weights are from the original, with formulas.

With w the original weight, v the decoded weight and e = w - v, over all weights of a tensor:

* relative RMSE = sqrt(sum e^2 / sum w^2)
* SQNR = 10 log10(sum w^2 / sum e^2), in dB
* max error = max |e|

Files store the measures, so the float64 sums have a fixed order: within a tile down each column, then over the columns
from left to right; then over the tiles in row order.
"""

from __future__ import annotations

from math import inf, log10, sqrt
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from fourcc.arrays import Array

SCRATCH = 1 << 16  # float64 numbers at a time, so that they stay in the cache


@attrs.frozen
class ErrorSums:
    """The sums behind the measures; the sums of a tensor are the sums of its tiles, added.

    Attributes:
        signal: sum w^2.
        noise: sum e^2.
        max_error: max |e|.
    """

    signal: float = 0.0
    noise: float = 0.0
    max_error: float = 0.0

    @classmethod
    def of(cls, original: Array, decoded: Array) -> ErrorSums:
        """The sums over one tile.

        Args:
            original: (rows, cols), finite.
            decoded: (rows, cols).
        """
        signal = noise = largest = 0.0
        for left in range(0, original.shape[1] if original.size else 0, SCRATCH):
            run = slice(left, left + SCRATCH)
            squares, errors, top = _down_columns(original[:, run], decoded[:, run])
            signal, noise, largest = _onwards(signal, squares), _onwards(noise, errors), max(largest, top)
        return cls(signal, noise, largest)

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(self.signal + other.signal, self.noise + other.noise, max(self.max_error, other.max_error))

    @property
    def relative_rmse(self) -> float:
        """sqrt(sum e^2 / sum w^2); 0 where there is no error, infinite where there is an error and no signal."""
        if self.noise == 0:
            return 0.0
        return sqrt(self.noise / self.signal) if self.signal else inf

    @property
    def sqnr_db(self) -> float:
        """10 log10(sum w^2 / sum e^2) in dB; infinite where there is no error."""
        if self.noise == 0:
            return inf
        return 10 * log10(self.signal / self.noise) if self.signal else -inf


def _down_columns(original: Array, decoded: Array) -> tuple[Array, Array, float]:
    """The sums of w^2 and of e^2 down each column, float64 (cols,) each, and max |e|."""
    rows, cols = original.shape
    step = max(1, SCRATCH // cols)
    signal, noise = np.zeros((2, min(rows, step) + 1, cols))  # row 0 holds the sums so far
    largest = 0.0
    for first in range(0, rows, step):
        count = min(step, rows - first)
        w, error = signal[1 : count + 1], noise[1 : count + 1]
        w[:] = original[first : first + count]
        np.subtract(w, decoded[first : first + count], out=error)
        largest = max(largest, float(error.max()), -float(error.min()))
        with np.errstate(over="ignore"):  # the square of a float64 may be infinite; so are the measures then
            w *= w
            error *= error
        signal[0] = _down(signal[: count + 1])
        noise[0] = _down(noise[: count + 1])
    return signal[0], noise[0], largest


def _down(values: Array) -> Array:
    """The sums of C-contiguous float64 (rows, cols) down each column."""
    if values.shape[1] == 1:  # numpy would sum such a column pairwise
        return np.array([_onwards(0.0, values[:, 0])])
    sums: Array = np.add.reduce(values, axis=0)
    return sums


def _onwards(total: float, values: Array) -> float:
    """The total plus float64 (n,), added strictly from left to right."""
    return float(np.add.accumulate(np.concatenate(([total], values)))[-1])
