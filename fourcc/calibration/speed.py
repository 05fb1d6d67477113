"""The cheapest mix within a budget of bytes whose products are fast enough: a second has a price beside a byte's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import fsum

from fourcc.calibration.hulls import Choice, Group
from fourcc.calibration.knapsack import Mix, cheapest, cost_of, nbytes_of
from fourcc.errors import UsageError

ROUNDS = 40  # halvings of the range that holds the price: enough for the nine digits of the costs


def cheapest_in_time(groups: Sequence[Group], times: Sequence[Sequence[float]], budget: int, min_toks: float) -> Mix:
    """A mix of at most `budget` bytes and 1 / `min_toks` seconds, the cheapest that prices can find.

    The price of a second is the least at which the mix is fast enough. What is then left of both budgets is filled.

    Args:
        groups: the choices of each unit; a mix of `budget` bytes exists.
        times: the seconds of each choice.
        budget: bytes.
        min_toks: tokens a second.

    Raises:
        UsageError: no mix of so few bytes is so fast; the message has the fastest one's speed.
    """
    limit = 1 / min_toks
    mix = cheapest(groups, budget)
    if _time_of(times, mix) <= limit:
        return mix
    fastest = cheapest(_priced(groups, times, 1.0, 0.0), budget)
    if _time_of(times, fastest) > limit:
        most = 1 / _time_of(times, fastest)
        what = "no mix within the budget is fast enough"
        raise UsageError(what, found=f"{most:.4g} tokens a second at most", expected=f"{min_toks:.4g}")
    fitting = [fastest]
    low, high = 0.0, _first_price(groups, times, budget, limit, cost_of(groups, fastest) / limit)
    for _ in range(ROUNDS):
        price = (low + high) / 2
        mix = cheapest(_priced(groups, times, price, 1.0), budget)
        if _time_of(times, mix) <= limit:
            high = price
            fitting.append(mix)
        else:
            low = price
    best = min(fitting, key=lambda mix: (cost_of(groups, mix), nbytes_of(groups, mix)))
    return _filled(groups, times, best, budget, limit)


def _priced(groups: Sequence[Group], times: Sequence[Sequence[float]], second: float, cost: float) -> list[Group]:
    """The choices with another cost: `cost` times their own, and `second` for each second."""
    return [
        [Choice(choice.nbytes, cost * choice.cost + second * time) for choice, time in zip(group, some, strict=True)]
        for group, some in zip(groups, times, strict=True)
    ]


def _first_price(
    groups: Sequence[Group], times: Sequence[Sequence[float]], budget: int, limit: float, guess: float
) -> float:
    """A price at which the mix is fast enough: a guess in the size of the costs, doubled until it is."""
    for power in count():
        price = guess * 2.0**power
        mix = cheapest(_priced(groups, times, price, 1.0), budget)
        if _time_of(times, mix) <= limit or power > ROUNDS:
            return price
    raise AssertionError  # `count` does not end


def _filled(groups: Sequence[Group], times: Sequence[Sequence[float]], mix: Mix, budget: int, limit: float) -> Mix:
    """A mix with what is left of both budgets: the choice that saves most is taken, again and again."""
    while True:
        better = [mix]
        for number, group in enumerate(groups):
            for other in range(len(group)):
                changed = [*mix[:number], other, *mix[number + 1 :]]
                if nbytes_of(groups, changed) <= budget and _time_of(times, changed) <= limit:
                    better.append(changed)
        best = min(better, key=lambda each: cost_of(groups, each))
        if cost_of(groups, best) >= cost_of(groups, mix):
            return mix
        mix = best


def _time_of(times: Sequence[Sequence[float]], mix: Mix) -> float:
    return fsum(some[number] for some, number in zip(times, mix, strict=True))
