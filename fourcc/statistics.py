"""What a tensor's weights are like: range, moments and a histogram, tile by tile in a bounded window of memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING

import attrs

from fourcc.decoding import tiles
from fourcc.sources.source import SourceTensor

if TYPE_CHECKING:
    from fourcc.format import Array

BINS = 32  # of a histogram of weights


@attrs.frozen
class Bin:
    """A bar of a histogram: weights from `low` to `high`, or codes from `low` to `high`, both included."""

    low: float
    high: float
    count: int


@attrs.frozen
class Statistics:
    """What a tensor's weights are like. Measures are over the finite weights; None where there are none.

    Attributes:
        weights: how many there are.
        nonfinite: how many of them are NaN or infinite.
        minimum, maximum: the range.
        mean: sum w / n, in float64.
        std: sqrt(sum (w - mean)^2 / n), in float64; None, as the mean, where a sum is beyond it.
        of_codes: whether the histogram counts stored codes, one bin each, instead of weights.
        bins: the histogram, ascending.
    """

    weights: int
    nonfinite: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    of_codes: bool
    bins: tuple[Bin, ...]


def statistics(tensor: SourceTensor) -> Statistics:
    """Reads a tensor twice: for range, mean and codes; then for what needs them.

    Raises:
        PluginError: the format is missing or broken.
        InputError: the bytes are damaged.
    """
    low, high, total, finite, weights = inf, -inf, 0.0, 0, 0
    codes: Counter[int] = Counter()
    for tile in tiles(tensor):
        values = tile.decode()
        kept = _finite(values)
        weights += values.size
        finite += kept.size
        if kept.size:
            low, high = min(low, kept.min().item()), max(high, kept.max().item())
            total += float(kept.sum(dtype="f8"))
        codes += _counted(tile.codes())
    if not finite:
        return Statistics(weights, weights, None, None, None, None, bool(codes), _code_bins(codes))
    mean = total / finite
    squares, bins = _spread(tensor, mean, low, high)
    return Statistics(
        weights=weights,
        nonfinite=weights - finite,
        minimum=low,
        maximum=high,
        mean=mean if isfinite(mean) else None,
        std=sqrt(squares / finite) if isfinite(squares) else None,
        of_codes=bool(codes),
        bins=_code_bins(codes) if codes else bins,
    )


def _spread(tensor: SourceTensor, mean: float, low: float, high: float) -> tuple[float, tuple[Bin, ...]]:
    """Sum of squared distances from the mean, and a histogram of the weights; of one bin where all are equal."""
    import numpy as np

    squares, counts = 0.0, np.zeros(BINS, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # a float64's square may be infinite: so is the deviation then
        edges = np.linspace(float(low), float(high), BINS + 1)
        wide = bool(np.isfinite(edges).all() and (np.diff(edges) > 0).all())  # else the bins cannot be told apart
        for values in _weights(tensor):
            squares += float(np.square(values - mean).sum())
            if wide:
                counts += np.histogram(values, edges)[0]
    if not wide:
        return squares, ()
    ends = edges.tolist()
    return squares, tuple(map(Bin, ends[:-1], ends[1:], counts.tolist()))


def _weights(tensor: SourceTensor) -> Iterator[Array]:
    """The finite weights of each tile, float64."""
    for tile in tiles(tensor):
        yield _finite(tile.decode()).astype("f8")


def _finite(values: Array) -> Array:
    import numpy as np

    return values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)


def _counted(codes: Array | None) -> Counter[int]:
    import numpy as np

    if codes is None:
        return Counter()
    found, counts = np.unique(codes, return_counts=True)
    return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _code_bins(codes: Counter[int]) -> tuple[Bin, ...]:
    return tuple(Bin(code, code, codes[code]) for code in sorted(codes))
