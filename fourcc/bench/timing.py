"""Samples of what is measured, taken in turns, so that a noisy moment hits all alike.

What a rate is a share of is measured in the same turns, sample by sample: memory of a shared machine may be twice as
fast in one minute as it is in the next.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

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
    """Amounts a second: the best sample's and the median one's; or shares of such rates."""

    best: float
    median: float

    def over(self, limit: Rates, turns: float | None = None) -> Rates:
        """As a share of a limit: best of best; of those that were measured side by side the median of the turns.

        Args:
            limit: what this is a share of.
            turns: median of the shares of each turn; None: median of median.
        """
        return Rates(self.best / limit.best, self.median / limit.median if turns is None else turns)


@attrs.define(eq=False)
class Series:
    """One thing that is measured again and again.

    Attributes:
        name: for progress.
        work: is timed.
        ready: called before each round, untimed; what others left in the machine's settings is set right here.
        repeats: samples a round, after a run that does not count.
        beside: what this is compared with; a sample of it is taken before each of these.
        turns: the samples of each round.
    """

    name: str
    work: Callable[[], object]
    ready: Callable[[], object] | None = None
    repeats: int = 3
    beside: Series | None = None
    turns: list[list[float]] = attrs.field(factory=list)

    def turn(self) -> None:
        """One round's samples."""
        together = [self] if self.beside is None else [self.beside, self]
        for each in together:
            each._begin()  # noqa: SLF001 - its own kind
        for _ in range(self.repeats):
            for each in together:
                each._sample()  # noqa: SLF001 - its own kind

    def _begin(self) -> None:
        if self.ready is not None:
            self.ready()
        if not self.turns or min(self.turns[-1]) < LONG:
            self.work()
        self.turns.append([])

    def _sample(self) -> None:
        start = time.perf_counter()
        self.work()
        self.turns[-1].append(time.perf_counter() - start)

    def free(self) -> None:
        """Lets go of what was measured; the samples stay."""
        self.work, self.ready = _nothing, None

    @property
    def timing(self) -> Timing:
        """Of the samples so far."""
        samples = [each for turn in self.turns for each in turn]
        return Timing(min(samples), statistics.median(samples), len(samples))

    @property
    def bests(self) -> list[float]:
        """Seconds of each turn's fastest sample."""
        return [min(turn) for turn in self.turns]


def _nothing() -> None:
    pass


def ratio(theirs: Iterable[float], ours: Iterable[float]) -> float:
    """How many times one thing takes another's time: the median of what it is in each turn."""
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


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
