"""The cheapest mix within a budget of bytes: a knapsack in which each group gives exactly one choice.

The steps of the hulls that fit give a first mix, at the price of the step that no longer fits. By that price no mix
within the budget can cost less than a known bound, and each choice beside the first mix adds a known amount to it.
Where these amounts exceed the distance between the bound and the best mix found so far, a choice cannot help. The few
that are left are tried together by a dynamic programme over bytes and cost (Pisinger, European Journal of Operational
Research 83, 1995). So the result is the best mix, unless the programme has more than `STATES` partial mixes at once;
then it keeps the most promising ones, and the result is at least as good as the first mix with what else fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum
from typing import NamedTuple

import numpy as np

from fourcc.arrays import Array
from fourcc.calibration.hulls import Group, smallest, steps

STATES = 1 << 14
SLACK = 1e-9  # of the bound, since its sums are rounded

Mix = list[int]  # the number of each group's choice


def nbytes_of(groups: Sequence[Group], mix: Sequence[int]) -> int:
    """Bytes of a mix."""
    return sum(group[number].nbytes for group, number in zip(groups, mix, strict=True))


def cost_of(groups: Sequence[Group], mix: Sequence[int]) -> float:
    """Cost of a mix, summed exactly and rounded once, so that the order of the groups does not count."""
    return fsum(group[number].cost for group, number in zip(groups, mix, strict=True))


def cheapest(groups: Sequence[Group], budget: int) -> Mix:
    """The cheapest mix of at most `budget` bytes; of equally cheap ones, one of fewest bytes.

    Raises:
        ValueError: even the smallest mix has more bytes.
    """
    mix, price = _along_the_hulls(groups, budget)
    if not price:
        return mix
    filled = _filled(groups, mix, budget)
    left = budget - nbytes_of(groups, mix)
    bound = cost_of(groups, mix) - price * left
    gap = cost_of(groups, filled) - bound
    found = _Programme(groups, mix, price).best(left, gap + SLACK * abs(bound))
    return min(filled, found, key=lambda each: (cost_of(groups, each), nbytes_of(groups, each)))


def _along_the_hulls(groups: Sequence[Group], budget: int) -> tuple[Mix, float]:
    """The mix after the steps that fit, up to the first that does not, and that step's gain: the price of a byte.

    The price is 0 where all steps fit, so that each group has its cheapest choice.
    """
    mix = [smallest(group) for group in groups]
    left = budget - nbytes_of(groups, mix)
    if left < 0:
        raise ValueError("no mix is small enough")
    for step in steps(groups):
        group = groups[step.group]
        left -= group[step.after].nbytes - group[step.before].nbytes
        if left < 0:
            return mix, step.gain
        mix[step.group] = step.after
    return mix, 0.0


def _filled(groups: Sequence[Group], mix: Mix, budget: int) -> Mix:
    """A mix with what is left of the budget: the choice that saves most, on the hull or off, again and again."""
    mix = list(mix)
    while True:
        left, best = budget - nbytes_of(groups, mix), (0.0, 0, 0, 0)
        for number, (group, now) in enumerate(zip(groups, mix, strict=True)):
            for other, choice in enumerate(group):
                more = choice.nbytes - group[now].nbytes
                if more <= left:
                    best = min(best, (choice.cost - group[now].cost, more, number, other))
        if best[0] >= 0:
            return mix
        mix[best[2]] = best[3]


class _Partial(NamedTuple):
    """Partial mixes after some groups, as they differ from the first mix; arrays of one length.

    Attributes:
        more: int64, bytes beyond the first mix.
        beyond: float64, what they add to the bound.
        parent: the partial mix before the last group.
        choice: the last group's choice.
    """

    more: Array
    beyond: Array
    parent: Array
    choice: Array

    def take(self, which: Array) -> _Partial:
        """Some of the mixes."""
        return _Partial(*(array[which] for array in self))


class _Programme:
    """A dynamic programme around a mix.

    Args:
        groups: the groups.
        mix: the first mix, best at the price.
        price: of a byte.
    """

    def __init__(self, groups: Sequence[Group], mix: Mix, price: float) -> None:
        self._groups, self._mix, self._price = groups, mix, price

    def best(self, left: int, gap: float) -> Mix:
        """The cheapest mix of at most `left` bytes more than the first whose choices add at most `gap` to the bound."""
        options = [list(self._worthwhile(number, gap)) for number in range(len(self._groups))]
        savable = np.cumsum([min(more for _, more, _ in some) for some in options][::-1])[::-1].tolist()  # by the rest
        start = np.zeros(1, np.int64)
        states = _Partial(start, start.astype(np.float64), start, start)
        history = []
        for some, rest in zip(options, [*savable[1:], 0], strict=True):
            states = self._extended(states, some)
            states = states.take((states.beyond <= gap) & (states.more + rest <= left))
            states = self._undominated(states)
            history.append(states)
        return self._mix_of(history, int(np.argmin(states.beyond - self._price * states.more)))

    def _worthwhile(self, number: int, gap: float) -> Iterator[tuple[int, int, float]]:
        """A group's choices that may help: number, bytes beyond the first mix's choice, what it adds to the bound."""
        group, now = self._groups[number], self._groups[number][self._mix[number]]
        for other, choice in enumerate(group):
            more = choice.nbytes - now.nbytes
            beyond = max(0.0, choice.cost - now.cost + self._price * more)
            if beyond <= gap or other == self._mix[number]:
                yield other, more, beyond

    @staticmethod
    def _extended(states: _Partial, options: list[tuple[int, int, float]]) -> _Partial:
        """Each partial mix with each of a group's choices."""
        count = len(states.more)
        choices, more, beyond = map(np.array, zip(*options, strict=True))
        return _Partial(
            (states.more[:, None] + more).ravel(),
            (states.beyond[:, None] + beyond).ravel(),
            np.repeat(np.arange(count), len(options)),
            np.tile(choices, count),
        )

    def _undominated(self, states: _Partial) -> _Partial:
        """The partial mixes for which no other has as few bytes and as little cost; the most promising, if too many."""
        cost = states.beyond - self._price * states.more
        order = np.lexsort((cost, states.more))
        least = np.minimum.accumulate(cost[order])
        states = states.take(order[np.concatenate(([True], cost[order][1:] < least[:-1]))])
        if len(states.more) <= STATES:
            return states
        return states.take(np.sort(np.argsort(states.beyond, kind="stable")[:STATES]))

    @staticmethod
    def _mix_of(history: list[_Partial], last: int) -> Mix:
        """The choices that led to a state."""
        mix = []
        for states in reversed(history):
            mix.append(int(states.choice[last]))
            last = int(states.parent[last])
        return mix[::-1]
