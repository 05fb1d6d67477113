"""Calibration data without numbers: enough to compute a file's length, since digests have one length.

The file says of each tensor which calibration data its encoder saw, so its length depends on whether there were some.
The arrays here have the right shapes and take no memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.errors import InputError
from fourcc.feedback.feedback import Feedback
from fourcc.format import Aids
from fourcc.geometry import split_shape

if TYPE_CHECKING:
    from fourcc.calibration.costs import Costs
    from fourcc.sources.source import Source


def aids_of(source: Source, costs: Costs) -> dict[str, Aids]:
    """Stand-ins for the calibration data with which the costs were measured, by name of the units' tensors."""
    if costs.calibration is None:
        return {}
    one = np.ones((), np.float32)
    shapes = {name: source.tensor(name).shape for unit in costs.units for name in unit.tensors if name in source}
    widths = {name: split_shape(shape)[2] for name, shape in shapes.items()}
    hessians = {name: np.broadcast_to(one, (cols, cols)) if costs.feedback else None for name, cols in widths.items()}
    return {name: Aids(np.broadcast_to(one, (cols,)), hessians[name]) for name, cols in widths.items()}


def feedback_of(costs: Costs) -> Feedback | None:
    """The error feedback with which the costs were measured. Raises InputError for settings that are not known here."""
    if costs.feedback is None:
        return None
    try:
        return Feedback(**costs.feedback)  # type: ignore[arg-type]  # it checks its settings itself
    except TypeError as error:
        found = ", ".join(costs.feedback)
        what = "the costs were measured with settings of error feedback that are not known"
        raise InputError(what, found=found, hint="Measure again.") from error
