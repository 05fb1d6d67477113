"""`fourcc diff`: the differences between two models, down to the decoded weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, tables, terminal
from fourcc.cli.render.cell_styles import by_decibels
from fourcc.cli.render.progress import Progress
from fourcc.cli.render.tables import Column
from fourcc.cli.shared import options

if TYPE_CHECKING:
    from fourcc.analysis.diff import Change, Difference, TensorDifference
    from fourcc.sources.source import Source

EPILOG = """\b
Examples:
  fourcc diff stories.bin model.bin
  fourcc diff model.bin other.bin --json

A counts as the original. Exit code 0 where nothing differs, 1 where something does."""

COLUMNS = (
    Column("tensor"),
    Column("tags"),
    Column("bytes", leave=1),
    Column("rel RMSE", right=True),
    Column("SQNR dB", right=True, style=by_decibels),
    Column("max error", right=True),
    Column("differing", right=True, leave=2),
)

A = Annotated[Path, typer.Argument(metavar="A", help="The original: a checkpoint or a model.bin.")]
B = Annotated[Path, typer.Argument(metavar="B", help="What is compared with it.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(diff)


def diff(a: A, b: B, *, quiet: options.Quiet = False, as_json: options.Json = False) -> None:
    """Compare two models: index, stored bytes, decoded weights."""
    from fourcc.analysis.diff import compare
    from fourcc.sources import open_source

    with open_source(a) as source_a, open_source(b) as source_b:
        nbytes = sum(map(_stored_bytes, (source_a, source_b)))
        with Progress("comparing", nbytes, quiet=quiet) as progress:
            difference = compare(source_a, source_b, progress)
    if as_json:
        json_documents.show("diff", _document(a, b, difference))
    elif not quiet:
        _show(difference)
    if not difference.identical:
        raise typer.Exit(1)


def _stored_bytes(source: Source) -> int:
    return sum(path.stat().st_size for path in source.files)


def _show(difference: Difference) -> None:
    for line in _lines(difference):
        tables.paragraph(line)
    differing = [tensor for tensor in difference.tensors if not tensor.identical]
    if differing:
        tables.show(COLUMNS, [_row(tensor) for tensor in differing])
    same = len(difference.tensors) - len(differing)
    if difference.identical:
        return terminal.out(terminal.styled("identical", "green"))
    return tables.paragraph(f"{len(differing)} tensors differ, {same} are identical")


def _lines(difference: Difference) -> Iterator[str]:
    """The differences that are no measure of a tensor that both have."""
    yield from (_change(change) for change in difference.changes)
    yield from (f"only in A: {name}" for name in difference.only_a)
    yield from (f"only in B: {name}" for name in difference.only_b)
    for tensor in difference.tensors:
        yield from (f"{tensor.name}: {_change(change)}" for change in tensor.changes if change.what != "tag")
        if tensor.undecoded is not None:
            yield f"{tensor.name}: cannot be decoded: {tensor.undecoded}"


def _change(change: Change) -> str:
    a, b = ("absent" if value is None else str(value) for value in (change.a, change.b))
    return f"{change.what}: {a} in A, {b} in B"


def _row(tensor: TensorDifference) -> list[str]:
    tags = list(dict.fromkeys(map(str, tensor.tags)))
    stored = "equal" if tensor.same_bytes else "differ"
    if tensor.values is None:
        return [tensor.name, " -> ".join(tags), stored, "-", "-", "-", "-"]
    sums = tensor.values.sums
    return [
        tensor.name,
        " -> ".join(tags),
        stored,
        f"{sums.relative_rmse:.3g}",
        "inf" if sums.sqnr_db == inf else f"{sums.sqnr_db:.1f}",
        f"{sums.max_error:.3g}",
        str(tensor.values.differing),
    ]


def _document(a: Path, b: Path, difference: Difference) -> dict[str, object]:
    return {
        "a": str(a),
        "b": str(b),
        "identical": difference.identical,
        "changes": [_change_entry(change) for change in difference.changes],
        "only_a": list(difference.only_a),
        "only_b": list(difference.only_b),
        "tensors": [_entry(tensor) for tensor in difference.tensors],
    }


def _change_entry(change: Change) -> dict[str, object]:
    return {"what": change.what, "a": change.a, "b": change.b}


def _entry(tensor: TensorDifference) -> dict[str, object]:
    values = tensor.values
    return {
        "name": tensor.name,
        "tags": [str(tag) for tag in tensor.tags],
        "weights": tensor.weights,
        "identical": tensor.identical,
        "changes": [_change_entry(change) for change in tensor.changes],
        "same_bytes": tensor.same_bytes,
        "undecoded": tensor.undecoded,
        "values": None
        if values is None
        else {
            "relative_rmse": json_documents.number(values.sums.relative_rmse),
            "sqnr_db": json_documents.number(values.sums.sqnr_db),
            "max_error": json_documents.number(values.sums.max_error),
            "differing": values.differing,
        },
    }
