"""The memory that a conversion takes, and whether it stays below a cap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fourcc.conversion.memory_need import Room
from fourcc.errors import UsageError
from fourcc.execution import Execution
from fourcc.forecasting.figure import Figure

if TYPE_CHECKING:
    from fourcc.conversion.plan import Plan
    from fourcc.exporters.export import ExportPlan

USUAL, LITTLE = 0.9, 0.75  # of the bound, which allows for the worst


@attrs.frozen
class MemoryForecast:
    """The memory of a conversion.

    Attributes:
        peak: bytes that are resident at most; the high end is a bound.
        cap: bytes that were allowed; None: no cap.
        threads: that work at once, with a cap as many as it has room for.
        refused: why the cap cannot be kept; empty where it can, or where there is none.
    """

    peak: Figure
    cap: int | None
    threads: int
    refused: str = ""


def conversion_memory(planned: Plan | ExportPlan, threads: int, cap: int | None) -> MemoryForecast:
    """The memory of a plan on some threads, or on as many fewer as a cap has room for."""
    layout = getattr(planned, "layout", None)  # of an export, which gathers some tensors
    gathered = {} if layout is None else layout.gathered
    room = Room(planned.steps, Execution(threads=threads, memory=cap), gathered)
    bound, refused = room.peak, ""
    try:
        room.refuse_unfit()
    except UsageError as error:
        refused = str(error)
    return MemoryForecast(Figure(LITTLE * bound, USUAL * bound, bound, "calculated"), cap, room.threads, refused)
