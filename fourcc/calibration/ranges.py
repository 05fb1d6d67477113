"""Static ranges of activations from a calibration: the clips at which 8-bit codes are expected to err least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fourcc.calibration.statistics import BLOCK, bin_edges
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from fourcc.arrays import Floats
    from fourcc.calibration.statistics import InputStatistics

TOP = 127  # the largest code
MOST_LOST = 0.1  # share of a block's inputs that may be rounded to 0; a Gaussian block loses some 0.013


def static_ranges(statistics: Mapping[str, InputStatistics], file: Path) -> Mapping[str, Floats]:
    """Static ranges of the inputs of each matrix by its name, float32 (blocks of 32 columns,), as `ranges_of`.

    Args:
        statistics: of the inputs, by names of matrices.
        file: for the message.

    Raises:
        UsageError: the magnitudes of no matrix were recorded.
    """
    if all(each.magnitudes is None for each in statistics.values()):
        hint = "`fourcc calibrate` records them; calibrations of other programs have none."
        raise UsageError("the calibration holds no ranges of activations", file=file, hint=hint)
    known = {name: ranges_of(each) for name, each in statistics.items()}
    return {name: each for name, each in known.items() if each is not None}


def ranges_of(statistics: InputStatistics, most_lost: float = MOST_LOST) -> Floats | None:
    """Static ranges of the inputs of one matrix, float32 (blocks,).

    None where they are not known, of stacks of matrices, and where inputs are uneven: a range that is wide enough for a
    few of a block would round many of the others to 0. A block whose inputs were always 0 has the largest range of the
    others.

    Args:
        statistics: of the inputs.
        most_lost: share of the inputs of any block that may be rounded to 0.
    """
    low, high, magnitudes = statistics.minimum, statistics.maximum, statistics.magnitudes
    if low is None or high is None or magnitudes is None or len(statistics.counts) != 1 or not statistics.counts[0]:
        return None
    ranges = best_clips(magnitudes[0], bin_edges(), largest_of(np.maximum(-low[0], high[0])))
    if not ranges.any() or (shares_lost(magnitudes[0], bin_edges(), ranges) > most_lost).any():
        return None
    return np.where(ranges > 0, ranges, ranges.max())


def largest_of(magnitudes: Floats) -> Floats:
    """The largest of each block of 32 columns: (cols,) -> (blocks,)."""
    return np.maximum.reduceat(magnitudes, np.arange(0, len(magnitudes), BLOCK))


def best_clips(counts: NDArray[np.int64], edges: Floats, largest: Floats) -> Floats:
    """The clip of each block with the least expected squared error of its codes, float32 (blocks,).

    Candidates are the bins' upper edges and the largest magnitude itself. At a clip c a code is worth s = c / 127. The
    numbers of a bin count as if they were spread evenly over it. Each errs by (x - c)^2 beyond the clip, by x^2 where
    its whole bin is rounded to 0, and else by s^2 / 12, the mean square of rounding. All sums are float64, bin after
    bin from the first on, those beyond the clip from the last on; of equal errors the smallest clip is taken.

    Args:
        counts: of the magnitudes in each bin, (blocks, bins).
        edges: of the bins, (bins + 1,), the first 0; the last may be infinite.
        largest: of each block's magnitudes, (blocks,); no clip is above it.
    """
    lower = np.minimum(edges[:-1].astype(np.float64), largest[:, None])  # (blocks, bins)
    upper = np.minimum(edges[1:].astype(np.float64), largest[:, None])
    middle, step = (lower + upper) / 2, upper / TOP
    numbers = counts.astype(np.float64)
    squares = numbers * (middle**2 + (upper - lower) ** 2 / 12)
    beyond, first, second = (_sum_beyond(each) for each in (numbers, numbers * middle, squares))
    clipped = second - 2 * upper * first + upper**2 * beyond
    vanished = np.searchsorted(edges[1:].astype(np.float64), step / 2, "right")  # bins that are rounded to 0
    within, square_sums = (_sum_before(each) for each in (numbers, squares))  # (blocks, bins + 1)
    gone = np.take_along_axis(within, vanished, axis=1)
    rounded = np.take_along_axis(square_sums, vanished, axis=1) + (within[:, 1:] - gone) * step**2 / 12
    best = np.argmin(clipped + rounded, axis=1)[:, None]
    clips: Floats = np.take_along_axis(upper, best, axis=1)[:, 0].astype(np.float32)
    return clips


def shares_lost(counts: NDArray[np.int64], edges: Floats, clips: Floats) -> NDArray[np.float64]:
    """The share of each block's numbers that codes round to 0, (blocks,): those whose whole bin lies below half a step.

    The first bin, which holds zeros, does not count. Arguments as of `best_clips`, with the clips themselves.
    """
    seen = counts[:, 1:]
    lost = np.where(edges[2:] <= clips[:, None] / (2 * TOP), seen, 0)
    shares: NDArray[np.float64] = lost.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return shares


def _sum_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums over the bins before each bin, and over all: (blocks, bins) -> (blocks, bins + 1)."""
    return np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)


def _sum_beyond(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums over the bins behind each bin: (blocks, bins) -> (blocks, bins)."""
    return _sum_before(values[:, ::-1])[:, -2::-1]
