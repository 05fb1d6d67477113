"""Samples of what is measured, taken in turns, so that a noisy moment hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import attrs

Tick = Callable[[str], None]
LONG = 0.05  # seconds: to wake threads and fill caches takes too small a part of such a sample to need a run before it


@attrs.frozen
class Timing:
    """What some samples of one thing come to.

    Attributes:
        best: seconds of the fastest sample.
        median: of all samples.
        samples: how many.
    """

    best: float
    median: float
    samples: int

    def scaled(self, factor: float) -> Timing:
        """The same of a part, or of several."""
        return Timing(self.best * factor, self.median * factor, self.samples)

    def rates(self, amount: float) -> Rates:
        """How much of something a second that is."""
        return Rates(amount / self.best, amount / self.median)


@attrs.frozen
class Rates:
    """Amounts a second: the best sample's and the median one's."""

    best: float
    median: float

    def over(self, limit: Rates) -> Rates:
        """As a share of a limit: best of best, median of median."""
        return Rates(self.best / limit.best, self.median / limit.median)


@attrs.define(eq=False)
class Series:
    """One thing that is measured again and again.

    Attributes:
        name: for progress.
        work: is timed.
        ready: called before each round, untimed; what others left in the machine's settings is set right here.
        repeats: samples a round, after a run that does not count.
        seconds: the samples.
    """

    name: str
    work: Callable[[], object]
    ready: Callable[[], object] | None = None
    repeats: int = 3
    seconds: list[float] = attrs.field(factory=list)

    def turn(self) -> None:
        """One round's samples."""
        if self.ready is not None:
            self.ready()
        if not self.seconds or min(self.seconds) < LONG:
            self.work()
        for _ in range(self.repeats):
            start = time.perf_counter()
            self.work()
            self.seconds.append(time.perf_counter() - start)

    def free(self) -> None:
        """Lets go of what was measured; the samples stay."""
        self.work, self.ready = _nothing, None

    @property
    def timing(self) -> Timing:
        """Of the samples so far."""
        return Timing(min(self.seconds), statistics.median(self.seconds), len(self.seconds))


def _nothing() -> None:
    pass


def take_turns(series: Sequence[Series], rounds: int, tick: Tick, pause: float = 0.0) -> None:
    """Measures all series, one after the other, in rounds.

    Args:
        series: what is measured.
        rounds: how often each has its turn.
        tick: called with the name of each turn.
        pause: seconds before each turn, in which the threads of what was measured before fall asleep.
    """
    for _ in range(rounds):
        for each in series:
            tick(each.name)
            time.sleep(pause)
            each.turn()
