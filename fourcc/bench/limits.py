"""The machine's limits, by kernels that only read or only calculate.

Like `fourcc.compute`, and unlike the rest of the core, this package takes kernels from `fourcc.kernels` itself: its
probes belong to no format, and the cost of a product without Python around it is seen only below `compute`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle

import attrs
import numpy as np

from fourcc import compute
from fourcc.bench.timing import Rates, Series, Timing
from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import empty, matrix
from fourcc.kernels.measuring import roofline

Work = Callable[[], object]

OPERATIONS = 2_000_000_000  # of a sample, for each thread
TRIES = 5  # samples of each kernel, which choose the best ones
SETTLING = 0.1  # seconds
FINALISTS = 2  # reading kernels that are chosen; samples use them in turn
CHUNKS = (None, 64)  # units that a thread reads at once; None: an eighth of its share
READ = "reading"


@attrs.define(eq=False)
class Limit:
    """One limit with some threads: several kernels are tried at first, and samples use the best ones.

    Attributes:
        what: `READ`, or the kind of numbers that are multiplied.
        threads: how many.
        amount: bytes or operations of a sample.
        work: takes a sample, by each of the best kernels in turn.
        tried: seconds of the best sample when the kernels were tried.
        series: all series of the limit.
    """

    what: str
    threads: int
    amount: float
    work: Work
    tried: float
    series: list[Series] = attrs.field(factory=list)

    def measured(self) -> Series:
        """A new series of it: on its own, or beside the product that is given as a share of it."""
        name = f"{self.what}, {self.threads} thread{'s' * (self.threads > 1)}"
        # After a pause memory may be faster for a moment than it is under steady reading.
        ready = partial(_settle, self.work) if self.what == READ else None
        self.series.append(Series(name, self.work, ready, repeats=6))
        return self.series[-1]

    @property
    def rates(self) -> Rates:
        """Bytes, or operations, a second; the best rate is that of the fastest sample of any kernel."""
        timings = [each.timing for each in self.series if each.turns]
        best = min([self.tried, *(each.best for each in timings)])
        median = statistics.median([each.median for each in timings])
        return Timing(best, median, sum(each.samples for each in timings)).rates(self.amount)


class Limits:
    """The limits for some numbers of threads; samples are taken with those of the products.

    Args:
        threads: numbers of threads.
        nbytes: of the memory that is read.
        share: share of a sample's usual operations.
    """

    def __init__(self, threads: tuple[int, ...], nbytes: int, share: float = 1.0) -> None:
        units = max(1, nbytes // roofline.UNIT)
        self._memory = empty(units * roofline.UNIT)
        numbers = self._memory.view("<i8")
        numbers[:] = np.arange(numbers.size)  # the system gives memory on the first write, and may merge equal pages
        self._region = matrix(units, roofline.UNIT, (self._memory,))
        self._all = [each for count in threads for each in self._of(count, units, share)]

    def _of(self, threads: int, units: int, share: float) -> Iterator[Limit]:
        def sample(kernel: KernelFunction, rows: int, chunk: int | None = None) -> Work:
            work = partial(compute.run, kernel, self._region, self._region, align=1, scratch=roofline.SCRATCH)
            return partial(work, rows=rows, threads=threads, chunk=chunk)

        nbytes = units * roofline.UNIT
        reads = [(nbytes, sample(kernel, units, chunk)) for kernel in roofline.READERS for chunk in CHUNKS]
        yield _best(READ, threads, reads, FINALISTS)
        for what in roofline.peaks():
            tried = []
            for kernel, turn in roofline.calculators(what):
                rows = max(threads, int(share * threads * OPERATIONS) // turn)
                tried.append((rows * turn, sample(kernel, rows)))
            yield _best(what, threads, tried, 1)

    def reading(self) -> list[Series]:
        """New series of the limits of reading."""
        return [each.measured() for each in self._all if each.what == READ]

    def calculating(self) -> list[Series]:
        """New series of the limits of calculating."""
        return [each.measured() for each in self._all if each.what != READ]

    def of(self, threads: int) -> dict[str, Rates]:
        """The rates of all limits with some threads."""
        return {each.what: each.rates for each in self._all if each.threads == threads}

    def __getitem__(self, key: tuple[str, int]) -> Limit:
        """The limit of a `what` with some threads."""
        return next(each for each in self._all if (each.what, each.threads) == key)


def _best(what: str, threads: int, tried: list[tuple[int, Work]], keep: int) -> Limit:
    """The limit with the kernels whose best of a few samples is the fastest.

    Args:
        what: `READ`, or the kind of numbers that are multiplied.
        threads: how many.
        tried: amount and work of a sample of each kernel; equal amounts if more than one kernel is kept.
        keep: number of kernels to keep.
    """
    series = [(amount, Series(what, work, repeats=TRIES)) for amount, work in tried]
    for _, each in series:
        each.turn()
    series.sort(key=lambda pair: pair[1].timing.best / pair[0])
    amount, best = series[0]
    kept = cycle([each.work for _, each in series[:keep]])

    def work() -> object:
        return next(kept)()

    return Limit(what, threads, amount, work, best.timing.best)  # these samples chose it: the median leaves them out


def _settle(work: Work) -> None:
    """Works for `SETTLING` seconds."""
    end = time.perf_counter() + SETTLING
    while time.perf_counter() < end:
        work()
