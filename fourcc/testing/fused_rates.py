"""How long fused products take, against those of the same weights decoded first, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import attrs

from fourcc import compute
from fourcc.arrays import Floats
from fourcc.qmatrix import QMatrix
from fourcc.testing.weights import bell

COUNTS = (1, 32)  # activations: of a token, and of a short prompt
TURNS = 9  # of both, of which the median counts
LEAST = 2e-3  # seconds of a turn, or more: short products are repeated
LOSS = 1.02  # times the other's time, from which on a fused product loses


@attrs.frozen
class FusedRate:
    """The time of a fused product against that of decoded weights.

    Attributes:
        count: activations.
        threads: how many.
        fused, decoded: seconds, medians.
    """

    count: int
    threads: int
    fused: float
    decoded: float

    @property
    def ratio(self) -> float:
        """How many times the other's time the fused product takes."""
        return self.fused / self.decoded

    @property
    def loses(self) -> bool:
        """Whether decoding first would be faster."""
        return self.ratio > LOSS


def fused_rates(
    matrix: QMatrix,
    counts: Sequence[int] = COUNTS,
    threads: int = 1,
    turns: int = TURNS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[FusedRate]:
    """The times of a matrix's fused products; none where its products are not fused.

    Args:
        matrix: should be so large that its decoded weights do not stay in a cache.
        counts: numbers of activations.
        threads: how many.
        turns: of both products.
        clock: gives seconds.
    """
    fused = matrix.packed
    if fused.kernel.level != "fused":
        return []
    decoded, rates = compute.pack_decoded(matrix.decode()), []
    for count in counts:
        x = bell((count, matrix.shape[1]), seed=count)
        times = _in_turns([fused, decoded], x, threads, turns, clock)
        rates.append(FusedRate(count, threads, *map(median, times)))
    return rates


def _in_turns(
    sides: Sequence[compute.Packed], x: Floats, threads: int, turns: int, clock: Callable[[], float]
) -> list[list[float]]:
    """Seconds of a product for each side, measured in turn; each first time, which may compile, does not count."""
    for side in sides:
        compute.matmul(side, x, threads)
    repeats = [1 + int(LEAST / max(_seconds(side, x, threads, 1, clock), 1e-9)) for side in sides]
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(turns):
        for side, repeated, taken in zip(sides, repeats, times, strict=True):
            taken.append(_seconds(side, x, threads, repeated, clock))
    return times


def _seconds(side: compute.Packed, x: Floats, threads: int, repeats: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(repeats):
        compute.matmul(side, x, threads)
    return (clock() - start) / repeats


def in_words(rates: Sequence[FusedRate]) -> str:
    """The ratios in a line, and where fused products lose; empty where there are none."""
    if not rates:
        return ""
    first, *others = rates
    texts = [f"{first.ratio:.2g} times decode-first's time at n = {first.count}"]
    texts += [f"{rate.ratio:.2g} at {rate.count}" for rate in others]
    lost = [str(rate.count) for rate in rates if rate.loses]
    return ", ".join(texts) + (f"; slower than decoding first at n = {', '.join(lost)}" if lost else "")
