"""The weights of a tensor as the report shows them, from a sample that bounds the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite, lcm, prod

import attrs

from fourcc.analysis.diff import value_difference
from fourcc.analysis.moments import Moments
from fourcc.analysis.statistics import FAR, First, Statistics, first_reading, second_reading
from fourcc.arrays import Parts
from fourcc.geometry import split_shape
from fourcc.reporting.document import WeightPicture
from fourcc.sources.source import SourceTensor

SAMPLE = 1 << 16  # weights of a tensor that are looked at: a bar of one percent is off by a twenty-fifth of itself
RUNS = 8  # of neighbouring rows, spread evenly over a tensor, that a sample consists of
SHOWN = 56  # bars of a histogram
CODES = 64  # bars of a histogram of codes, at most


def picture(tensor: SourceTensor, other: SourceTensor | None, sample: int) -> WeightPicture:
    """Statistics and histograms of a tensor, beside those of another one on the same bars.

    Args:
        tensor: of an opened source.
        other: of the same shape; its weights count as the original; None: there is none.
        sample: number of weights to look at; 0: all.

    Raises:
        PluginError: a format is missing or broken.
        InputError: bytes are damaged.
    """
    some = sampled(tensor, other, sample)
    threads = 1 if sample else None  # a sample is one tile or two
    first = first_reading(some, codes=True, threads=threads)
    before = None if other is None else sampled(other, tensor, sample)
    was_first = None if before is None else first_reading(before, codes=False, threads=threads)
    ends = _extent([each.moments for each in (first, was_first) if each is not None])
    now = second_reading(some, attrs.evolve(first, codes=Counter()), ends, SHOWN, threads)
    counts, code_ends = _codes(first)
    made = WeightPicture(now, _counts(now), ends, code_counts=counts, code_ends=code_ends, whole=some is tensor)
    if before is None or was_first is None:
        return made
    was = second_reading(before, was_first, ends, SHOWN, threads)
    difference = value_difference(before, some)
    return attrs.evolve(made, before=_counts(was), error=difference.sums, differing=difference.differing)


def _extent(found: Sequence[Moments]) -> tuple[float, float]:
    """The part of the range that is drawn: some standard deviations around the mean, cut to the range."""
    known = [each for each in found if each.count]
    lows = [max(each.low, each.mean - FAR * each.std) for each in known if isfinite(each.mean)]
    highs = [min(each.high, each.mean + FAR * each.std) for each in known if isfinite(each.mean)]
    return min(lows, default=0.0), max(highs, default=0.0)


def _counts(found: Statistics) -> tuple[int, ...]:
    return tuple(each.count for each in found.bins)


def _codes(first: First) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Counts of the codes, in runs of equal length where there are many, and the first and the last code."""
    if not first.codes:
        return (), (0, 0)
    low, high = min(first.codes), max(first.codes)
    step = -(-(high - low + 1) // CODES)
    counts = [0] * -(-(high - low + 1) // step)
    for code, count in first.codes.items():
        counts[(code - low) // step] += count
    return tuple(counts), (low, high)


def sampled(tensor: SourceTensor, beside: SourceTensor | None, sample: int) -> SourceTensor:
    """The tensor itself, or one of a few runs of its rows, each as a matrix of a stack.

    Args:
        tensor: of an opened source.
        beside: of the same shape; runs do not cut its blocks either.
        sample: about how many weights; 0: all.

    Raises:
        PluginError: a format is missing or broken.
    """
    lead, rows, cols = split_shape(tensor.shape)
    if not 0 < sample < prod(tensor.shape):
        return tensor
    formats = [each.format for each in (tensor, beside) if each is not None]
    if any(fmt.variable or fmt.block[0] is None for fmt in formats):
        step = rows  # blocks reach over all rows
    else:
        step = min(rows, lcm(*(fmt.block[0] or 1 for fmt in formats)))
    height = min(rows, max(1, sample // (RUNS * step * cols)) * step)
    firsts = [(matrix, start) for matrix in range(prod(lead)) for start in _starts(rows, height, step)]
    wanted = min(len(firsts), max(1, sample // (height * cols)), RUNS)
    chosen = [firsts[number * (len(firsts) - 1) // max(1, wanted - 1)] for number in range(wanted)]

    def read(matrix: int, first: int, last: int) -> Parts:
        place, start = chosen[matrix]
        return tensor.read(place, start + first, start + last)

    return attrs.evolve(tensor, shape=(len(chosen), height, cols), read=read, record=None, copy=None)


def _starts(rows: int, height: int, step: int) -> list[int]:
    """First rows of runs that begin at blocks and lie whole in the matrix."""
    return list(range(0, rows - height + 1, max(step, height)))
