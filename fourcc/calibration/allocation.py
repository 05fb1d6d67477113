"""An option for each unit: the least KL divergence that a number of bytes can buy.

The divergences of single units are added; `specs/decisions/0022-costs-and-allocation.md` says how well that holds. So
the best mix is a knapsack's (`fourcc.calibration.knapsack`). Where a least speed is asked for, seconds have a price,
too (`fourcc.calibration.speed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

import attrs

from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.calibration.hulls import Choice
from fourcc.calibration.knapsack import cheapest
from fourcc.calibration.pins import Pin, WantedOption, choosable
from fourcc.calibration.speed import cheapest_in_time
from fourcc.errors import UsageError

LOOKED_UP = frozenset({"embedding"})  # roles of a unit that is never multiplied


@attrs.frozen
class Allocation:
    """An option for each unit.

    Attributes:
        units: the units of the costs.
        chosen: the option of each.
    """

    units: tuple[Unit, ...]
    chosen: tuple[Option, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the units' parts, without padding."""
        return sum(option.nbytes for option in self.chosen)

    @property
    def kld(self) -> float:
        """Predicted KL divergence from the original in nats a token: the sum over the units."""
        return fsum(option.kld or 0.0 for option in self.chosen)

    @property
    def seconds(self) -> float | None:
        """Seconds that the products of a token take; None where the costs do not say."""
        times = [seconds_of(unit, option) for unit, option in zip(self.units, self.chosen, strict=True)]
        return None if None in times else fsum(time for time in times if time is not None)


def allocate(
    costs: Costs,
    budget_bytes: int,
    pins: Sequence[Pin] = (),
    options: Sequence[WantedOption] | None = None,
    *,
    min_toks: float | None = None,
) -> Allocation:
    """The mix of least predicted KL divergence.

    Args:
        costs: of a model.
        budget_bytes: at most so many bytes of all units' parts, without padding.
        pins: units whose option is given.
        options: the options that other units may have; None: all in the costs.
        min_toks: the products must take at most a second for so many tokens.

    Raises:
        UsageError: no mix is small enough, or fast enough, or the costs have no seconds; as `choosable` does.
    """
    choices = choosable(costs, pins, options)
    groups = [[Choice(option.nbytes, option.kld or 0.0) for option in some] for some in choices]
    least = sum(min(choice.nbytes for choice in group) for group in groups)
    if budget_bytes < least:
        raise UsageError("no mix is small enough", found=f"{least} bytes at least", expected=f"{budget_bytes} bytes")
    if min_toks is None:
        mix = cheapest(groups, budget_bytes)
    else:
        mix = cheapest_in_time(groups, _times(costs, choices), budget_bytes, min_toks)
    return Allocation(costs.units, tuple(some[number] for some, number in zip(choices, mix, strict=True)))


def seconds_of(unit: Unit, option: Option) -> float | None:
    """Seconds that a unit's products take for a token; an embedding that is only looked up takes none."""
    return 0.0 if frozenset(unit.roles) <= LOOKED_UP else option.seconds


def _times(costs: Costs, choices: Sequence[Sequence[Option]]) -> list[list[float]]:
    """Seconds of each unit's choices. Raises UsageError where the costs lack some."""
    times = [[seconds_of(unit, option) for option in some] for unit, some in zip(costs.units, choices, strict=True)]
    for unit, some in zip(costs.units, times, strict=True):
        if None in some:
            what = f"the costs do not say how long products with {unit.name!r} take"
            raise UsageError(what, hint="Measure again with --seconds.")
    return [[time for time in some if time is not None] for some in times]
