"""Whether a conversion to a budget can succeed, as far as shapes tell: seen before calibrating and measuring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.asked_options import asked_options, spare_options
from fourcc.calibration.costs import Costs, Option, Unit, by_size
from fourcc.calibration.fitting import refuse_out_of_range
from fourcc.calibration.pins import choosable
from fourcc.calibration.units import PlannedUnit, PlannedUnits, planned_units

if TYPE_CHECKING:
    from fourcc.calibration.budget import Budget
    from fourcc.calibration.pins import Pin
    from fourcc.feedback.feedback import Feedback
    from fourcc.sources.source import Source

UNKNOWN = "0" * 32  # in place of a digest; the length of a file depends on whether there is one


def rehearse(
    source: Source, options: str | Iterable[str] | None, budget: Budget, pins: Sequence[Pin], feedback: Feedback | None
) -> None:
    """Refuses what no measurement could make possible.

    An option that turns out not to hold some weights can only narrow what is possible here. Where the bytes of an
    option depend on the weights, the budget is not looked at.

    Args:
        source: the model.
        options: as `asked_options` takes them.
        budget: what the conversion may come to.
        pins: units whose option is given.
        feedback: with which encoders will choose codes.

    Raises:
        UsageError: an option is misspelled or none fits, a pin cannot be met, or the budget is below the smallest mix
            or above the largest.
        PluginError: a format is broken.
    """
    planned = planned_units(source, asked_options(options), spare=spare_options() if options is None else ())
    costs = _unmeasured(planned, feedback)
    choosable(costs, pins)
    if not any(target.format.variable for target in planned.options):
        refuse_out_of_range(source, costs, budget, pins)


def _unmeasured(planned: PlannedUnits, feedback: Feedback | None) -> Costs:
    """Costs with true bytes, and no damage."""
    return Costs(
        fourcc="",
        machine="",
        model=UNKNOWN,
        calibration=UNKNOWN,
        text=UNKNOWN,
        tokens=0,
        context=0,
        documents=False,
        feedback=None if feedback is None else attrs.asdict(feedback),
        units=tuple(map(_unit, planned.units)),
        fixed=planned.fixed,
    )


def _unit(planned: PlannedUnit) -> Unit:
    options = []
    for target in planned.options:
        fmt, params = target.format, target.params
        nbytes = sum(fmt.stored_bytes(tensor.shape, params) for tensor in planned.tensors)
        options.append(Option(fmt.tag, params, target.options, nbytes, 0.0, 0.0))
    names, shapes = (tuple(getattr(tensor, key) for tensor in planned.tensors) for key in ("name", "shape"))
    return Unit(planned.name, names, planned.roles, shapes, (), by_size(options))
