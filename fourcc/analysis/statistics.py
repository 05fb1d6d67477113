"""Statistics of a tensor's weights: range, moments and a histogram, tile by tile in a bounded window of memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from math import isfinite
from typing import TypeVar

import attrs
import numpy as np

from fourcc.analysis.moments import Moments
from fourcc.arrays import Array
from fourcc.sources.source import SourceTensor
from fourcc.threads import Task, in_order, thread_count
from fourcc.tiles import TILE_WEIGHTS, Tile, tiles

T = TypeVar("T")
BINS = 32  # of a histogram of weights
SCRATCH = 1 << 14  # weights that are processed at once
FAR = 4  # standard deviations from the mean beyond which a weight is an outlier: 0.0063 % of a normal distribution


@attrs.frozen
class Bin:
    """A bar of a histogram: weights from `low` to `high`, or codes from `low` to `high`, both included."""

    low: float
    high: float
    count: int


@attrs.frozen
class Spread:
    """The spread of a tensor's channels: the root mean squares of the quietest, the median and the loudest one."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, levels: Array) -> Spread | None:
        """The spread of root mean squares (n,); None where one is beyond float64."""
        if not levels.size or not np.isfinite(levels).all():
            return None
        return cls(float(levels.min()), float(np.median(levels)), float(levels.max()))


@attrs.frozen
class Statistics:
    """Statistics of a tensor's weights. Measures are over the finite weights; None where there are none.

    Attributes:
        weights: number of weights.
        nonfinite: number of them that are NaN or infinite.
        minimum, maximum: the range.
        mean: sum w / n, in float64.
        std: sqrt(sum (w - mean)^2 / n), in float64; None, like the mean, where a sum is beyond float64.
        of_codes: whether the histogram counts stored codes, one bin each, instead of weights.
        bins: the histogram, ascending.
        kurtosis: 3 for a normal distribution; None where all weights are equal.
        outliers: share of the weights that are more than four standard deviations from the mean.
        rows, columns: spread of the matrix's output and input channels; None where there is only one row.
    """

    weights: int
    nonfinite: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    of_codes: bool
    bins: tuple[Bin, ...]
    kurtosis: float | None = None
    outliers: float | None = None
    rows: Spread | None = None
    columns: Spread | None = None


@attrs.frozen(eq=False)
class First:
    """The result of the first reading of a tensor.

    Attributes:
        weights: number of weights.
        moments: of the finite ones.
        codes: number of weights with each stored code; empty where there are no codes, or none were asked for.
        rows, columns: spread of channels.
    """

    weights: int
    moments: Moments
    codes: Counter[int]
    rows: Spread | None
    columns: Spread | None


def statistics(tensor: SourceTensor) -> Statistics:
    """Reads a tensor twice: for moments and codes, then for the measures that need them.

    Raises:
        PluginError: the format is missing or broken.
        InputError: the bytes are damaged.
    """
    first = first_reading(tensor, codes=True)
    return second_reading(tensor, first, (first.moments.low, first.moments.high), BINS)


def first_reading(tensor: SourceTensor, *, codes: bool, threads: int | None = None) -> First:
    """Moments, channels, and codes where they are asked for. Raises as `statistics` does."""
    moments, counted = Moments(), Counter[int]()
    levels: list[Array] = []
    columns, weights = np.zeros(tensor.shape[-1] if tensor.shape else 1), 0
    for tile in _each(tensor, partial(_first, codes=codes), threads):
        weights += tile.weights
        moments += tile.moments
        columns += tile.columns
        levels.append(tile.levels)
        counted += tile.codes
    rows = sum(map(len, levels))
    if rows < 2:
        return First(weights, moments, counted, None, None)
    spreads = Spread.of(np.concatenate(levels)), Spread.of(np.sqrt(columns / rows))
    return First(weights, moments, counted, *spreads)


@attrs.frozen(eq=False)
class _OfTile:
    """A tile's contribution; `columns` are sums of squares down columns, `levels` root mean squares of rows."""

    weights: int
    moments: Moments
    codes: Counter[int]
    levels: Array
    columns: Array


def _first(tile: Tile, *, codes: bool) -> _OfTile:
    values = tile.decode()
    moments, columns = Moments(), np.zeros(values.shape[1])
    levels = []
    for run in _runs(values):
        squares = _squares(run)
        moments += Moments.of(_finite(run).astype("f8"))
        columns += squares.sum(axis=0)
        levels.append(np.sqrt(squares.mean(axis=1)))
    counted = _counted(tile.codes() if codes else None)
    return _OfTile(values.size, moments, counted, np.concatenate(levels), columns)


def _runs(values: Array) -> Iterator[Array]:
    """The rows of a tile, few at a time: the allocator keeps small arrays and returns large ones to the system."""
    rows, cols = values.shape
    step = max(1, SCRATCH // max(1, cols))
    return (values[first : first + step] for first in range(0, rows, step))


def _each(tensor: SourceTensor, work: Callable[[Tile], T], wanted: int | None) -> Iterator[T]:
    """The results of the work on every tile, in the order of the tiles; it runs on threads."""
    threads = thread_count(wanted)
    tasks = (Task(partial(work, tile), tile.geom.rows * tile.geom.cols) for tile in tiles(tensor))
    return in_order(tasks, threads, 2 * threads * TILE_WEIGHTS)


def second_reading(
    tensor: SourceTensor, first: First, extent: tuple[float, float], bins: int, threads: int | None = None
) -> Statistics:
    """The measures that need the moments: outliers, and a histogram of `bins` bars over an extent, or of the codes.

    Raises as `statistics` does.
    """
    moments = first.moments
    if not moments.count:
        return Statistics(
            first.weights, first.weights, None, None, None, None, bool(first.codes), _code_bins(first.codes)
        )
    far, counted = _spread(tensor, moments, extent, bins, threads)
    return Statistics(
        weights=first.weights,
        nonfinite=first.weights - moments.count,
        minimum=moments.low,
        maximum=moments.high,
        mean=_known(moments.mean),
        std=_known(moments.std),
        of_codes=bool(first.codes),
        bins=_code_bins(first.codes) if first.codes else counted,
        kurtosis=_known(moments.kurtosis),
        outliers=far / moments.count,
        rows=first.rows,
        columns=first.columns,
    )


def _spread(
    tensor: SourceTensor, moments: Moments, extent: tuple[float, float], bins: int, threads: int | None
) -> tuple[int, tuple[Bin, ...]]:
    """Number of outliers, and a histogram; it has no bin where the extent is too narrow to be divided."""
    far, counts = 0, np.zeros(bins, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # the ends of an extent may be further apart than float64 holds
        edges = np.linspace(float(extent[0]), float(extent[1]), bins + 1)
        wide = bool(np.isfinite(edges).all() and (np.diff(edges) > 0).all())  # else the bins cannot be told apart
    work = partial(_second, moments=moments, extent=extent if wide else None, bins=bins)
    for beyond, counted in _each(tensor, work, threads):
        far += beyond
        counts += counted
    ends = edges.tolist()
    return far, tuple(map(Bin, ends[:-1], ends[1:], counts.tolist())) if wide else ()


def _second(tile: Tile, *, moments: Moments, extent: tuple[float, float] | None, bins: int) -> tuple[int, Array]:
    """Number of outliers of a tile, and of its weights in every bar; zeros where there is no extent."""
    far, counts = 0, np.zeros(bins, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        for run in _runs(tile.decode()):
            values = _finite(run).astype("f8")
            far += int(np.count_nonzero(np.abs(values - moments.mean) > FAR * moments.std))
            if extent is not None:
                counts += np.histogram(values, bins, extent)[0]
    return far, counts


def _finite(values: Array) -> Array:
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)


def _squares(values: Array) -> Array:
    """Squares of weights (rows, cols) in float64, 0 for those that are not finite."""
    wide = values.astype("f8")
    with np.errstate(over="ignore"):
        return np.square(np.where(np.isfinite(wide), wide, 0))


def _known(value: float) -> float | None:
    return value if isfinite(value) else None


def _counted(codes: Array | None) -> Counter[int]:
    if codes is None:
        return Counter()
    values, counts = np.unique(codes, return_counts=True)
    return Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _code_bins(codes: Counter[int]) -> tuple[Bin, ...]:
    return tuple(Bin(code, code, codes[code]) for code in sorted(codes))
