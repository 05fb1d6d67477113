"""The plan of a conversion, as `convert --dry-run` and `policy check` show it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import typer

from fourcc.cli.render import forecast_tables, json_documents, tables, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.conversion.pipeline import Step
    from fourcc.conversion.plan import Plan
    from fourcc.exporters.export import ExportPlan
    from fourcc.forecasting.forecast import Forecast

COLUMNS = (
    Column("tensor"),
    Column("shape", leave=2),
    Column("stored", leave=3),
    Column("rule"),
    Column("tag"),
    Column("settings"),
    Column("bits/weight", right=True, style=by_bits),
    Column("bytes", right=True, leave=1),
)


def show(plan: Plan | ExportPlan, forecast: Forecast | None = None, *, as_json: bool) -> None:
    """Writes a plan to stdout, and what it will take."""
    if as_json:
        told = {} if forecast is None else {"forecast": forecast_tables.document(forecast)}
        json_documents.show("plan", {**document(plan), **told})
        return _end(forecast)
    tables.show(COLUMNS, [_row(step) for step in plan.steps])
    bits = units.bits(_bits(plan))
    tables.paragraph(
        f"total: {len(plan.steps)} tensors, {plan.weights} weights, {bits} bits per weight, "
        f"{units.plain_bytes(plan.nbytes)}; a file of about {units.short_bytes(plan.file_bytes)}"
    )
    if forecast is not None:
        forecast_tables.show(forecast)
    return _end(forecast)


def _end(forecast: Forecast | None) -> None:
    """Ends as the work itself would, where the cap on memory cannot be kept."""
    if forecast is not None and forecast.memory.refused:
        raise typer.Exit(UsageError.exit_code)


def document(plan: Plan | ExportPlan) -> dict[str, object]:
    """The plan as a JSON object."""
    return {
        "tensors": [_entry(step) for step in plan.steps],
        "total": {
            "tensors": len(plan.steps),
            "weights": plan.weights,
            "bits_per_weight": json_documents.bits(_bits(plan)),
            "bytes": plan.nbytes,
            "file_bytes_estimate": plan.file_bytes,
        },
    }


def _bits(plan: Plan | ExportPlan) -> Fraction:
    return Fraction(8 * plan.nbytes, max(1, plan.weights))


def _row(step: Step) -> list[str]:
    """The row of a tensor. Its tag is followed by ``kept``, or by the format that it is a fallback for."""
    decision = step.decision
    how = " kept" if decision.keep else ""
    if decision.fallback_from is not None:
        how = f" for {decision.fallback_from}"
    return [
        step.source.name,
        units.shape(step.source.shape),
        str(step.source.tag),
        f"rule[{decision.rule}]",
        f"{decision.tag}{how}",
        units.settings({**decision.params, **decision.options}),
        units.bits(decision.bits_per_weight),
        str(decision.nbytes),
    ]


def _entry(step: Step) -> dict[str, object]:
    decision, fallback = step.decision, step.decision.fallback_from
    return {
        "name": step.source.name,
        "source_name": step.source.source_name,
        "shape": list(step.source.shape),
        "stored_tag": str(step.source.tag),
        "rule": decision.rule,
        "tag": str(decision.tag),
        "params": dict(decision.params),
        "options": dict(decision.options),
        "kept": decision.keep,
        "fallback_from": None if fallback is None else str(fallback),
        "bits_per_weight": json_documents.bits(decision.bits_per_weight),
        "bytes": decision.nbytes,
    }
