"""Lower convex hulls of choices: the mixes that are best for their bytes, whatever a byte is worth.

A *group* is the choices of one unit, each with its bytes and its cost; a *mix* takes one choice of each group. Where a
byte costs `price`, the best mix takes from each group the choice with the least cost + price * bytes, and that choice
lies on the group's lower convex hull. As the price falls, one group after the other steps to the next corner of its
hull, in the order of the steps' gains. So the steps of all groups, sorted by gain, are all that a search for the right
price could find, and no price has to be searched for (Everett, Operations Research 11, 1963).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple


class Choice(NamedTuple):
    """One choice of a group.

    Attributes:
        nbytes: that it takes.
        cost: that it adds, from 0 on.
    """

    nbytes: int
    cost: float


Group = Sequence[Choice]


class HullStep(NamedTuple):
    """A step of one group from one corner of its hull to the next.

    Attributes:
        gain: the cost that each further byte saves.
        group: number of the group.
        before: number of the choice that is left.
        after: number of the choice that is taken.
    """

    gain: float
    group: int
    before: int
    after: int


def smallest(group: Group) -> int:
    """Number of the choice of fewest bytes; of those with as many, the cheapest; of these, the first."""
    return min(range(len(group)), key=lambda number: group[number])


def corners(group: Group) -> list[int]:
    """Numbers of the choices on the lower convex hull, by bytes; each costs less than the one before."""
    found: list[int] = []
    for number in sorted(range(len(group)), key=lambda number: group[number]):
        if found and group[number].cost >= group[found[-1]].cost:
            continue
        while len(found) > 1 and _gain(group, found[-2], found[-1]) <= _gain(group, found[-2], number):
            found.pop()
        found.append(number)
    return found


def steps(groups: Sequence[Group]) -> list[HullStep]:
    """The steps of all groups from their smallest choice to their cheapest, the greatest gain first.

    Among equal gains the earlier group is first, and within a group the earlier step.
    """
    found = []
    for number, group in enumerate(groups):
        gain = inf
        for before, after in pairwise(corners(group)):
            gain = min(gain, _gain(group, before, after))  # rounding must not put a later step first
            found.append(HullStep(gain, number, before, after))
    return sorted(found, key=lambda step: -step.gain)


def _gain(group: Group, before: int, after: int) -> float:
    """The cost that each byte saves from one choice to a larger one."""
    a, b = group[before], group[after]
    return (a.cost - b.cost) / (b.nbytes - a.nbytes)
