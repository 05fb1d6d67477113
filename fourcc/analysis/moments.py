"""Moments of weights, in one pass: range, mean, and sums of powers of the distance from it.

They are computed in float64 for runs of rows, which are merged in their order. With the mean m and the central sums
S_k = sum (w - m)^k of n weights, two runs a and b, and d = m_b - m_a:

    m   = m_a + d n_b / n
    S_2 = S_2a + S_2b + d^2 n_a n_b / n
    S_3 = S_3a + S_3b + d^3 n_a n_b (n_a - n_b) / n^2 + 3 d (n_a S_2b - n_b S_2a) / n
    S_4 = S_4a + S_4b + d^4 n_a n_b (n_a^2 - n_a n_b + n_b^2) / n^3
          + 6 d^2 (n_a^2 S_2b + n_b^2 S_2a) / n^2 + 4 d (n_a S_3b - n_b S_3a) / n

(P. Pébay, Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments,
2008.)
"""

from __future__ import annotations

from math import inf, sqrt

import attrs
import numpy as np

from fourcc.arrays import Array


@attrs.frozen
class Moments:
    """Moments of finite weights; the sum of those of the tiles is that of the tensor.

    Attributes:
        count: number of weights.
        low, high: the range.
        mean: the mean.
        second, third, fourth: sums of (w - mean) to that power.
    """

    count: int = 0
    low: float = inf
    high: float = -inf
    mean: float = 0.0
    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Moments:
        """The moments of finite weights, float64 of any shape; infinite or NaN where a sum is beyond float64."""
        if not values.size:
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.sum() / values.size)
            distances = values - mean
            squares = distances * distances
            sums = squares.sum(), (squares * distances).sum(), (squares * squares).sum()
        return cls(values.size, float(values.min()), float(values.max()), mean, *map(float, sums))

    def __add__(self, other: Moments) -> Moments:
        if not self.count or not other.count:
            return self if self.count else other
        a, b, n = self.count, other.count, self.count + other.count
        d = other.mean - self.mean
        try:
            far = d * d * d * a * b * (a - b) / n**2, d**4 * a * b * (a * a - a * b + b * b) / n**3
        except OverflowError:
            far = inf, inf
        return Moments(
            count=n,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            mean=self.mean + d * b / n,
            second=self.second + other.second + d * d * a * b / n,
            third=self.third + other.third + far[0] + 3 * d * (a * other.second - b * self.second) / n,
            fourth=self.fourth
            + other.fourth
            + far[1]
            + 6 * d * d * (a * a * other.second + b * b * self.second) / n**2
            + 4 * d * (a * other.third - b * self.third) / n,
        )

    @property
    def std(self) -> float:
        """sqrt(S_2 / n)."""
        return sqrt(self.second / self.count) if self.second >= 0 and self.count else inf

    @property
    def kurtosis(self) -> float:
        """n S_4 / S_2^2: 3 for a normal distribution, more where the tails are heavier; NaN where all are equal."""
        square = self.second * self.second
        return self.count * self.fourth / square if 0 < square < inf else float("nan")
