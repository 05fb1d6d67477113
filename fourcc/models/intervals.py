"""Means over consecutive tokens, and their intervals by a bootstrap over blocks of tokens.

Losses of neighbouring tokens are alike, so tokens are not independent draws, but blocks of them nearly are. See
specs/decisions/0015-evaluation.md for the sizes of blocks and for how often such an interval holds the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]
    Places = NDArray[np.int64]

FEWEST, MOST = 10, 30  # blocks for an interval
SHORTEST = 64  # least tokens of a block
RESAMPLES, SEED = 2000, 1
LEVEL = 0.95


@attrs.frozen(repr=False)
class Interval:
    """A mean and its 95 % confidence interval; without bounds where there are too few blocks."""

    mean: float
    low: float | None = None
    high: float | None = None

    def exponential(self) -> Interval:
        """The exponential of mean and bounds, such as the perplexity of a loss."""
        low, high = (None if bound is None else _exp(bound) for bound in (self.low, self.high))
        return Interval(_exp(self.mean), low, high)

    @property
    def half(self) -> float | None:
        """Half the width of the interval; None where it has no bounds."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def __repr__(self) -> str:
        bounds = "no interval" if self.low is None else f"{self.low:.4g} to {self.high:.4g}"
        return f"{self.mean:.4g} ({bounds})"


@attrs.frozen(eq=False, repr=False)
class TextBlocks:
    """Runs of consecutive tokens of about equal length, from which a bootstrap draws.

    Attributes:
        starts: int64 (count,): first token of each block.
        tokens: number of all tokens.
        whole: whether each block consists of whole documents.
    """

    starts: Places
    tokens: int
    whole: bool

    @classmethod
    def of(cls, windows: Sequence[int], *, whole: bool) -> TextBlocks:
        """The blocks of a text.

        Args:
            windows: number of scored tokens of each window.
            whole: windows are documents, which are never divided. Other windows are: the text continues behind them.
        """
        tokens = sum(windows)
        count = max(1, min(MOST, tokens // SHORTEST))
        starts = _joined(windows, tokens / count) if whole else np.arange(count) * tokens // count
        return cls(starts, tokens, whole)

    @property
    def enough(self) -> bool:
        """Whether there are enough blocks for an interval."""
        return len(self.starts) >= FEWEST

    @property
    def shortest(self) -> int:
        """Number of tokens of the shortest block."""
        return int(self.counts.min())

    @property
    def counts(self) -> Places:
        """Number of tokens of each block."""
        return np.diff([*self.starts, self.tokens])

    def __str__(self) -> str:
        """The origin of intervals, or why there are none."""
        count, kind = len(self.starts), "whole documents" if self.whole else "consecutive tokens"
        if self.enough:
            return f"95 % intervals by bootstrap of {count} blocks of {kind}, {self.shortest} tokens or more in each"
        count = count if self.shortest >= SHORTEST else 0
        tokens = "1 token makes" if self.tokens == 1 else f"{self.tokens} tokens make"
        few = f"{tokens} {count} block{'s' * (count != 1)} of {kind}"
        return f"no intervals: {few}, {SHORTEST} tokens or more in each; {FEWEST} are needed"

    def interval(self, values: Doubles) -> Interval:
        """The mean of one value for each token, and its interval; the same numbers give the same interval."""
        mean = float(values.mean())
        if not self.enough:
            return Interval(mean)
        sums, counts, number = np.add.reduceat(values, self.starts), self.counts, len(self.starts)
        chosen = np.random.default_rng(SEED).integers(0, number, (RESAMPLES, number))
        means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
        tail = _tail(number)
        low, high = np.quantile(means, [tail, 1 - tail])
        return Interval(mean, float(low), float(high))


def _joined(windows: Sequence[int], least: float) -> Places:
    """Starts of blocks of whole windows, joined until a block has `least` tokens; a rest belongs to the last block."""
    starts, end = [0], 0
    for tokens in windows:
        if end - starts[-1] >= least:
            starts.append(end)
        end += tokens
    if len(starts) > 1 and end - starts[-1] < least:
        starts.pop()
    return np.array(starts)


def _tail(blocks: int) -> float:
    """Share of resampled means that each end of the interval leaves out.

    Bootstrap percentiles are too narrow for few blocks, by the factor sqrt((n - 1) / n) and by the normal quantile
    that they imply; Hesterberg's expanded percentiles (2015) use Student's quantile instead.
    """
    normal = NormalDist()
    wanted = student(normal.inv_cdf((1 + LEVEL) / 2), blocks - 1)
    return normal.cdf(-sqrt(blocks / (blocks - 1)) * wanted)


def student(z: float, freedom: int) -> float:
    """Student's quantile for a normal quantile z by the Cornish-Fisher expansion; to 0.001 at 9 degrees of freedom."""
    terms = (
        (z**3 + z) / (4 * freedom),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3),
    )
    return z + sum(terms)


def _exp(value: float) -> float:
    try:
        return exp(value)
    except OverflowError:
        return inf
