"""The rates that a forecast is made with: what this machine remembers, else what is shipped, scaled to this machine."""

from __future__ import annotations

import os
from functools import cached_property
from math import sqrt
from statistics import median

from fourcc.forecasting.figure import Figure
from fourcc.rates.remembered import remember, remembered
from fourcc.rates.sample import Sample
from fourcc.rates.shipped import shipped_rates
from fourcc.rates.yardstick import processor_seconds, reading_rates
from fourcc.threads import thread_count

READ = "read memory"  # the work whose unit is a byte
CONVERSION = 1.2  # times as long as in the table, whose tile stays in the processor's cache, a tile takes
SLOWER = 1.15  # that work may be than the slowest time that is remembered
MEASURED = 3  # times that memory is measured
UNSTEADY = 0.8  # of the slowest rate that was seen, at the low end
EASY, HARD = 0.7, 1.6  # how a table's rates are taken for the ends of a range


def load() -> float:
    """Threads of all programs that worked or waited for a core during the last minute; 0 where the system is silent."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


class KnownRates:
    """Rates, looked up once a forecast.

    Args:
        threads: that work.

    Attributes:
        threads: that work; more than this machine has cores share these.
    """

    def __init__(self, threads: int) -> None:
        self.threads = min(threads, thread_count())
        self._remembered = remembered()

    def cost(self, work: str) -> Figure | None:
        """Seconds of one thread for a unit of work; None where nothing is known of it."""
        samples = self._samples(work)
        if samples:
            return _of_samples(samples)
        nanoseconds = shipped_rates().nanoseconds.get(work)
        if nanoseconds is None:
            return None
        return self.scaled(CONVERSION * 1e-9 * nanoseconds)

    def scaled(self, seconds: float) -> Figure:
        """Processor time on the machine of the table, as it is here."""
        here = seconds * self._slowness
        return Figure(EASY * here, here, HARD * here * max(1.0, self.crowding), "table")

    @property
    def crowding(self) -> float:
        """Threads that wait for each core when these join those of other programs; at most 1: none waits."""
        return (load() + self.threads) / thread_count()

    @cached_property
    def _slowness(self) -> float:
        """How many times as long this machine works as that of the table."""
        return processor_seconds() / shipped_rates().yardstick

    @cached_property
    def reading(self) -> Figure:
        """Bytes a second that the threads read from memory together; measured a few times, then remembered."""
        samples = self._of_reading()
        slowest = max((each.wall for each in samples), default=0.0)
        if not self.reading_is_known:
            slow, usual, fast = reading_rates(self.threads)  # the first is lower where other programs read, too
            samples.append(Sample(1 / fast, 1 / sqrt(slow * usual), self.threads))
            remember({READ: samples[-1]})
            slowest = max(slowest, 1 / slow)
        low = UNSTEADY / slowest  # other programs were there when it was measured
        high = 1 / min(each.processor for each in samples)
        middle = 1 / median(each.wall for each in samples)
        return Figure(low, middle, high, "remembered" if self.reading_is_known else "measured")

    @property
    def reading_is_known(self) -> bool:
        """Whether the rate of reading is remembered, and need not be measured."""
        return len(self._of_reading()) >= MEASURED

    def _of_reading(self) -> list[Sample]:
        return [each for each in self._remembered.get(READ, ()) if each.threads == self.threads]

    def remembered_ratio(self, work: str) -> Figure | None:
        """How many times as long work took on as many threads as was forecast; None where nothing is remembered."""
        ratios = [each.wall for each in self._remembered.get(work, ()) if each.threads == self.threads]
        return Figure(min(ratios) / SLOWER, median(ratios), max(ratios) * SLOWER, "remembered") if ratios else None

    def _samples(self, work: str) -> list[Sample]:
        """Samples of work on as many threads, or else on any number."""
        every = list(self._remembered.get(work, ()))
        return [each for each in every if each.threads == self.threads] or every


def _of_samples(samples: list[Sample]) -> Figure:
    walls = [each.wall for each in samples]
    low = min(each.processor for each in samples)
    return Figure(min(low, median(walls)), median(walls), SLOWER * max(walls), "remembered")
