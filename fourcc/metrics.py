"""How far decoded weights are from the original, each measure with its formula.

With w the original, v the decoded weight, e = w - v, over all n weights of a tensor:

* relative RMSE = sqrt(sum e^2 / sum w^2)
* SQNR = 10 log10(sum w^2 / sum e^2), in dB
* max error = max |e|

Sums are float64 in a fixed order, since they are stored in files: within a tile down each column, then over the columns
from left to right; then over the tiles in row order.
"""

from __future__ import annotations

from math import inf, log10, sqrt
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from fourcc.format import Array


@attrs.frozen
class ErrorSums:
    """The sums that the measures are made of; add those of tiles to get those of a tensor.

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
        """Sums over one tile.

        Args:
            original: (rows, cols), finite.
            decoded: (rows, cols).
        """
        import numpy as np

        if original.size == 0:
            return cls()
        w = original.astype(np.float64)
        error = w - decoded
        largest = max(float(error.max()), -float(error.min()))
        w *= w
        error *= error
        return cls(_ordered_sum(w), _ordered_sum(error), largest)

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(self.signal + other.signal, self.noise + other.noise, max(self.max_error, other.max_error))

    @property
    def relative_rmse(self) -> float:
        """sqrt(sum e^2 / sum w^2); 0 where there is no error, infinite where there is but no signal."""
        if self.noise == 0:
            return 0.0
        return sqrt(self.noise / self.signal) if self.signal else inf

    @property
    def sqnr_db(self) -> float:
        """10 log10(sum w^2 / sum e^2) in dB; infinite where there is no error."""
        if self.noise == 0:
            return inf
        return 10 * log10(self.signal / self.noise) if self.signal else -inf


def _ordered_sum(values: Array) -> float:
    """Sum of float64 (rows, cols): down each column, then from left to right."""
    import numpy as np

    columns = np.add.reduce(values, axis=0)
    return float(np.add.accumulate(columns)[-1])
