"""A file of costs, as `measure` and `inspect` show it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.costs import MEASURED_BITS
from fourcc.calibration.costs_reading import read_costs
from fourcc.calibration.pins import spelled
from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.calibration.costs import Costs, Unit

WORST = 12  # units that a summary shows
COLUMNS = (
    Column("unit"),
    Column("weights", right=True, leave=1),
    Column("listed in"),
    Column("bits/weight", right=True, style=by_bits),
    Column("output error", right=True, leave=3),
    Column("nats/token", right=True),
    Column("options", right=True, leave=2),
)
OPTIONS = (
    Column("option"),
    Column("bytes", right=True, leave=1),
    Column("bits/weight", right=True, style=by_bits),
    Column("output error", right=True, leave=3),
    Column("nats/token", right=True),
    Column("found by", leave=2),
)
LISTED_IN = f"each unit is listed in its measured option nearest to {float(MEASURED_BITS):g} bits a weight"


def inspect(path: Path, name: str | None = None, *, as_json: bool) -> None:
    """Writes what a file of costs holds, or a unit's options. Raises as `read_costs` does; UsageError for no unit."""
    costs = read_costs(path)
    if name is not None:
        costs = attrs.evolve(costs, units=(costs.unit(name),), fixed=())
    if as_json:
        show_document("inspect", path, costs)
    elif name is not None:
        tables.show(OPTIONS, list(_option_rows(costs.units[0])))
    else:
        show(path, costs)


def show(path: Path, costs: Costs, *, rows: int | None = None) -> None:
    """Writes what was measured to stdout, and the units with the largest damage first; `rows` None: all of them."""
    tables.facts(_facts(path, costs))
    terminal.out("")
    ordered = sorted(costs.units, key=lambda unit: -(unit.reference.kld or 0))
    shown = ordered[:rows]
    tables.show(COLUMNS, [_row(unit) for unit in shown])
    rest = ordered[len(shown) :]
    if rest:
        tables.paragraph(f"{len(rest)} more units: {_total(rest):.3g} nats/token together")
    tables.paragraph(f"all units together: {_total(ordered):.3g} nats/token")
    tables.paragraph(LISTED_IN)


def show_document(command: str, path: Path, costs: Costs) -> None:
    """Writes the costs as one JSON object to stdout."""
    json_documents.show(command, {"file": str(path), "costs": json.loads(costs.dumps())})


def _option_rows(unit: Unit) -> Iterator[list[str]]:
    for number, option in enumerate(unit.options):
        error, kld = ("-" if each is None else f"{each:.3g}" for each in (option.output_error, option.kld))
        found = "measuring" if number in unit.measured else "prediction"
        yield [spelled(option), str(option.nbytes), units.bits(unit.bits(option)), error, kld, found]


def _facts(path: Path, costs: Costs) -> list[tuple[str, str]]:
    weights = sum(unit.weights for unit in costs.units)
    parted = " of documents" if costs.documents else ""
    tried = sorted({str(option.tag) for unit in costs.units for option in unit.options})
    return [
        ("file", f"{path}: costs"),
        ("model", costs.model),
        ("calibration", costs.calibration or "none"),
        ("feedback", "none" if costs.feedback is None else units.settings(costs.feedback)),
        ("text", f"SHA-256 {costs.text[:16]}, {costs.tokens} tokens{parted} in windows of at most {costs.context}"),
        ("units", f"{len(costs.units)} with {weights} weights"),
        ("formats", ", ".join(tried)),
        ("fixed", f"{len(costs.fixed)} tensors, {units.plain_bytes(costs.fixed_bytes)}"),
    ]


def _row(unit: Unit) -> list[str]:
    option = unit.reference
    return [
        unit.name,
        str(unit.weights),
        str(option.tag),
        units.bits(unit.bits(option)),
        "-" if option.output_error is None else f"{option.output_error:.3g}",
        "-" if option.kld is None else f"{option.kld:.3g}",
        str(len(unit.options)),
    ]


def _total(costs: Sequence[Unit]) -> float:
    """The damage of these units in the options that they are listed with."""
    return sum(unit.reference.kld or 0 for unit in costs)
