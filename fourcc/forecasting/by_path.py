"""Forecasts by paths: `fourcc.forecast`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.conversion.plan import plan
from fourcc.execution import Execution
from fourcc.exporters.export import plan_export
from fourcc.forecasting.forecast import Forecast, forecast_of
from fourcc.policy import Policy
from fourcc.policy.amounts import amount
from fourcc.quantizing.container import container_of
from fourcc.sources import open_source

if TYPE_CHECKING:
    from fourcc.conversion.plan import CalibrationData
    from fourcc.feedback.feedback import Feedback


def forecast(  # noqa: PLR0913 - keyword-only, one an option of the commands
    source: str | Path,
    output: str | Path | None = None,
    *,
    to: str | None = None,
    format: str | None = None,  # noqa: A002 - the word of `--format`
    recipe: str | None = None,
    policy: Policy | str | Path | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    calibration: CalibrationData | None = None,
    feedback: str | Feedback | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
) -> Forecast:
    """Foretells what a conversion takes on this machine, and how the model that it makes runs; writes nothing.

    Args:
        source: a checkpoint's file or folder, or a model.bin.
        output: what would be written: a model.bin, or a file or folder of an export. None: a model.bin, and whether it
            fits on a disk is not told.
        to: the kind of export, where the output's name does not tell it.
        format: as `fourcc.convert` takes it.
        recipe: likewise.
        policy: likewise.
        include: likewise.
        exclude: likewise.
        calibration: likewise.
        feedback: likewise.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use.
        memory: the most resident memory to take, such as ``"2GB"``, or bytes; None: as much as the work needs.

    Raises:
        FourccError: the conversion or export would be refused; see `fourcc.errors`.
        ValueError: `memory` spells no amount.
    """
    rules = Policy.chosen(format=format, recipe=recipe, policy=policy)
    path = None if output is None else Path(output)
    kind = None if path is None and to is None else container_of(output or "", to).kind
    how = Execution(threads=threads, memory=None if memory is None else int(amount(str(memory))))
    given = {"calibration": calibration, "feedback": feedback}
    with open_source(source) as opened:
        if kind is None:
            planned = plan(opened, rules, include=include, exclude=exclude, **given)  # type: ignore[arg-type]  # as given
            return forecast_of(planned, how, path)
        exported = plan_export(opened, kind, rules, include, exclude, **given)  # type: ignore[arg-type]  # as given
        return forecast_of(exported, how, path)
