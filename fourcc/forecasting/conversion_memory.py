"""The memory that a conversion takes, and whether it stays below a cap."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs

from fourcc.conversion.memory_need import COMPILER, peak_bytes
from fourcc.execution import Execution
from fourcc.forecasting.figure import Figure

if TYPE_CHECKING:
    from fourcc.conversion.plan import Plan
    from fourcc.exporters.export import ExportPlan

TYPICAL = 1.1  # of the bound without the compiler, where kernels are compiled already


@attrs.frozen
class MemoryForecast:
    """The memory of a conversion.

    Attributes:
        peak: bytes that are resident at most; the high end is a bound.
        cap: bytes that were allowed; None: no cap.
        threads: that work at once below the cap; 0: not even one can.
    """

    peak: Figure
    cap: int | None
    threads: int

    @property
    def holds(self) -> bool | None:
        """Whether the cap can be kept; None where there is none."""
        return None if self.cap is None else self.threads > 0


def conversion_memory(planned: Plan | ExportPlan, threads: int, cap: int | None) -> MemoryForecast:
    """The memory of a plan on some threads, or on as many fewer as a cap leaves."""
    fitting = threads if cap is None else _fitting(planned, threads, cap)
    bound = _bound(planned, max(1, fitting))
    without_compiler = bound - COMPILER * ("numba" not in sys.modules)
    usual = min(bound, TYPICAL * without_compiler)
    return MemoryForecast(Figure(0.85 * usual, usual, bound, "table"), cap, fitting)


def _fitting(planned: Plan | ExportPlan, threads: int, cap: int) -> int:
    """The most threads whose tiles a cap has room for; 0: none."""
    return next((count for count in range(threads, 0, -1) if _bound(planned, count) <= cap), 0)


def _bound(planned: Plan | ExportPlan, threads: int) -> int:
    return peak_bytes(planned, Execution(threads=threads))  # type: ignore[arg-type]  # it asks for the steps alone
