"""The frontier: the least predicted KL divergence for every number of bytes, at once.

Its points are the mixes that are best at some price of a byte; each has one step of one unit more than the point before
(`fourcc.calibration.hulls`). Between two points lie further mixes, near the line through both and never below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

import attrs

from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.calibration.hulls import Choice, smallest, steps
from fourcc.calibration.pins import Pin, WantedOption, choosable


@attrs.frozen
class FrontierPoint:
    """A mix on the frontier.

    Attributes:
        nbytes: of all tensors, without padding.
        kld: predicted KL divergence in nats a token.
        unit: the unit that has another option than at the point before; None at the first.
        option: the unit's option from here on; None at the first.
    """

    nbytes: int
    kld: float
    unit: Unit | None = None
    option: Option | None = None


def frontier(
    costs: Costs,
    pins: Sequence[Pin] = (),
    options: Sequence[WantedOption] | None = None,
    *,
    other_bytes: int | None = None,
) -> list[FrontierPoint]:
    """The points of the frontier, from the smallest mix to the cheapest.

    Args:
        costs: of a model.
        pins: units whose option is given.
        options: the options that other units may have; None: all in the costs.
        other_bytes: bytes of the tensors that are in no unit; None: as the costs state them.

    Raises:
        UsageError: as `choosable` does.
    """
    choices = choosable(costs, pins, options)
    groups = [[Choice(option.nbytes, option.kld or 0.0) for option in some] for some in choices]
    mix = [smallest(group) for group in groups]
    nbytes = costs.fixed_bytes if other_bytes is None else other_bytes
    nbytes += sum(group[number].nbytes for group, number in zip(groups, mix, strict=True))
    klds = [group[number].cost for group, number in zip(groups, mix, strict=True)]
    points = [FrontierPoint(nbytes, fsum(klds))]
    for step in steps(groups):
        group = groups[step.group]
        nbytes += group[step.after].nbytes - group[step.before].nbytes
        klds[step.group] = group[step.after].cost
        points.append(FrontierPoint(nbytes, fsum(klds), costs.units[step.group], choices[step.group][step.after]))
    return points


def point_within(points: Sequence[FrontierPoint], nbytes: int) -> FrontierPoint | None:
    """The best point of at most so many bytes; None where even the first has more."""
    return next((point for point in reversed(points) if point.nbytes <= nbytes), None)
