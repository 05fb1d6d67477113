"""Rows of the tables: what is measured, its goal, what was found; and the tables as Markdown."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

Figures = Mapping[str, Any]


HEAD = ("| row | what | at most | found | holds | of |", "|---|---|--:|--:|---|---|")


@attrs.frozen
class Finding:
    """The result of a row.

    Attributes:
        value: the number that the goal is about.
        figures: what it was made of, by name.
    """

    value: float
    figures: Figures


@attrs.frozen
class Row:
    """A row of a table.

    Attributes:
        name: for `--only`.
        table: the title of the table that it belongs to.
        what: one phrase.
        goal: the value is at most so large; None: the value is only shown.
        find: measures it.
    """

    name: str
    table: str
    what: str
    goal: float | None
    find: Callable[[], Finding]


@attrs.frozen
class Kept:
    """Findings of earlier runs, a file each, so that an interrupted run goes on where it was."""

    folder: Path

    def path(self, row: Row) -> Path:
        """The file of a row's finding."""
        return self.folder / f"{row.name}.json"

    def found(self, row: Row, *, again: bool) -> dict[str, Any]:
        """The finding of a row: an earlier one, or else a new one, which is kept."""
        path = self.path(row)
        if again or not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            start = time.monotonic()
            finding = row.find()
            kept = {"value": finding.value, "figures": dict(finding.figures), "seconds": time.monotonic() - start}
            path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return known


def holds(row: Row, value: float) -> str:
    """Whether a row's goal is reached, in a word."""
    return "" if row.goal is None else "yes" if value <= row.goal else "**no**"


def tables(rows: Iterable[Row], kept: Kept) -> str:
    """All rows that have been measured, as Markdown tables with titles."""
    lines: list[str] = []
    title = None
    for row in rows:
        if not kept.path(row).exists():
            continue
        if row.table != title:
            title = row.table
            lines += [
                "",
                f"## {title}",
                "",
                "| row | what | at most | found | holds | of |",
                "|---|---|--:|--:|---|---|",
            ]
        known = json.loads(kept.path(row).read_text(encoding="utf-8"))
        lines.append(_line(row, known))
    return "\n".join(lines) + "\n"


def _line(row: Row, known: Mapping[str, Any]) -> str:
    made_of = ", ".join(f"{name} {_text(value)}" for name, value in known["figures"].items())
    goal = "" if row.goal is None else _text(row.goal)
    return (
        f"| `{row.name}` | {row.what} | {goal} | {_text(known['value'])} | {holds(row, known['value'])} | {made_of} |"
    )


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
