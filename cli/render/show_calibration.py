"""The listing of a calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, terminal
from fourcc.cli.render.tables import Column
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.statistics import InputStatistics

COLUMNS = (
    Column("matrix"),
    Column("columns", right=True, leave=1),
    Column("tokens", right=True, leave=2),
    Column("largest/median", right=True),
    Column("range"),
    Column("dead", right=True),
    Column("Hessian", leave=3),
)


def show(path: Path, name: str | None = None, *, as_json: bool) -> None:
    """Writes the listing to stdout. Raises as `open_calibration` does, and UsageError for one matrix alone."""
    from fourcc.calibration.reading import open_calibration

    if name is not None:
        hint = "Without --tensor, `fourcc inspect` lists what is known of each matrix."
        raise UsageError("a calibration has no tensors to show", file=path, hint=hint)

    calibration = open_calibration(path)
    if as_json:
        json_documents.show("calibration", _document(calibration))
        return
    tables.facts(_facts(calibration))
    terminal.out("")
    rows = [_row(name, each, calibration) for name, each in calibration.statistics.items()]
    tables.show(COLUMNS, rows)


def _facts(calibration: Calibration) -> list[tuple[str, str]]:
    rows = [
        ("file", f"{calibration.path}: calibration ({calibration.kind})"),
        ("id", calibration.digest),
        ("model", calibration.model or "unknown"),
        *(("text", f"{text.name} ({text.digest or 'unknown'})") for text in calibration.texts),
        ("tokens", "unknown" if calibration.tokens is None else str(calibration.tokens)),
        ("context", "" if calibration.context is None else str(calibration.context)),
    ]
    return [(name, value) for name, value in rows if value]


def _row(name: str, statistics: InputStatistics, calibration: Calibration) -> list[str]:
    matrices, cols = statistics.squares.shape
    spread, limits = statistics.loudest, statistics.limits
    return [
        name,
        str(cols) if matrices == 1 else f"{matrices} x {cols}",
        "unknown" if _tokens(statistics, calibration) is None else str(_tokens(statistics, calibration)),
        "-" if spread is None else f"{spread:.4g}",
        "-" if limits is None else f"{limits[0]:.4g} to {limits[1]:.4g}",
        f"{100 * statistics.dead / statistics.squares.size:.3g} %",
        "yes" if name in calibration.hessians else "no",
    ]


def _tokens(statistics: InputStatistics, calibration: Calibration) -> int | None:
    """Tokens that a matrix, or all of a stack together, have seen; None where the file counts something else."""
    return None if calibration.tokens is None and calibration.context is None else int(statistics.counts.sum())


def _document(calibration: Calibration) -> dict[str, object]:
    return {
        "file": str(calibration.path),
        "kind": calibration.kind,
        "id": calibration.digest,
        "model": calibration.model,
        "texts": [{"name": text.name, "sha256": text.digest} for text in calibration.texts],
        "tokens": calibration.tokens,
        "context": calibration.context,
        "matrices": [_matrix(name, each, calibration) for name, each in calibration.statistics.items()],
    }


def _matrix(name: str, statistics: InputStatistics, calibration: Calibration) -> dict[str, object]:
    limits = statistics.limits
    return {
        "name": name,
        "matrices": statistics.squares.shape[0],
        "columns": statistics.squares.shape[1],
        "tokens": _tokens(statistics, calibration),
        "largest_by_median": statistics.loudest,
        "min": None if limits is None else limits[0],
        "max": None if limits is None else limits[1],
        "dead": statistics.dead,
        "unseen": statistics.unseen,
        "hessian": name in calibration.hessians,
    }
