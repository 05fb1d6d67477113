"""Samples of all measured things, taken in turns, so that a noisy moment affects all of them equally.

The limit that a rate is compared with is measured in the same turns, sample by sample: memory of a shared machine may
be twice as fast in one minute as it is in the next.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

import attrs

Tell = Callable[[str, int, int], None]  # called with a step's name, its number, and the number of steps
Tick = Callable[[str], None]  # called with a step's name
LONG = 0.05  # seconds of a sample that needs no run before it: waking threads and filling caches are a small part


@attrs.frozen
class Timing:
    """A summary of some samples of one thing.

    Attributes:
        best: seconds of the fastest sample.
        median: of all samples.
        samples: how many.
    """

    best: float
    median: float
    samples: int

    def scaled(self, factor: float) -> Timing:
        """The timing of a part, or of several."""
        return Timing(self.best * factor, self.median * factor, self.samples)

    def rates(self, amount: float) -> Rates:
        """Rates, if a sample handles an amount of something."""
        return Rates(amount / self.best, amount / self.median)


@attrs.frozen
class Rates:
    """Amounts a second, of the best sample and of the median one; or shares of such rates."""

    best: float
    median: float

    def over(self, limit: Rates, turns: float | None = None) -> Rates:
        """Shares of a limit: the best rate's share of the best, and the median's.

        Args:
            limit: the limit.
            turns: median of the turns' shares, if both were measured side by side; None: median of median.
        """
        return Rates(self.best / limit.best, self.median / limit.median if turns is None else turns)


@attrs.define(eq=False)
class Series:
    """One thing that is measured repeatedly.

    Attributes:
        name: for progress.
        work: the function that is timed.
        ready: called before each round, untimed; it resets machine settings that others have changed.
        repeats: samples a round, after a run that does not count.
        beside: the series that this is compared with; a sample of it is taken before each of these.
        turns: the samples of each round.
    """

    name: str
    work: Callable[[], object]
    ready: Callable[[], object] | None = None
    repeats: int = 3
    beside: Series | None = None
    turns: list[list[float]] = attrs.field(factory=list)

    def turn(self) -> None:
        """Takes the samples of one round."""
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
        """Drops the function that was measured; the samples stay."""
        self.work, self.ready = _nothing, None

    @property
    def timing(self) -> Timing:
        """The timing of the samples so far."""
        samples = [each for turn in self.turns for each in turn]
        return Timing(min(samples), statistics.median(samples), len(samples))

    @property
    def bests(self) -> list[float]:
        """Seconds of each turn's fastest sample."""
        return [min(turn) for turn in self.turns]


def _nothing() -> None:
    pass


def ratio(theirs: Iterable[float], ours: Iterable[float]) -> float:
    """How many times as long theirs takes as ours: the median of the turns' ratios."""
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def take_turns(series: Sequence[Series], rounds: int, tick: Tick, pause: float = 0.0) -> None:
    """Measures all series, one after the other, in rounds.

    Args:
        series: all series.
        rounds: turns of each series.
        tick: called with the name of each turn.
        pause: seconds before each turn, in which the threads of the previous series fall asleep.
    """
    for _ in range(rounds):
        for each in series:
            tick(each.name)
            time.sleep(pause)
            each.turn()
