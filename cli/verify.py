"""`fourcc verify`: every byte of a model.bin against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fourcc.cli import show
from fourcc.cli.render import json_documents, tables, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options
from fourcc.errors import InputError

if TYPE_CHECKING:
    from fourcc.container.verify import Damage

EPILOG = """\b
Examples:
  fourcc verify model.bin
  fourcc verify -q model.bin || echo damaged
  fourcc verify model.index.json

Exit code 1 where anything is damaged, 3 where the file is no model.bin at all."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(verify)


def verify(file: options.Model, *, quiet: options.Quiet = False, as_json: options.Json = False) -> None:
    """Check every byte of a model.bin.

    Each damaged place is named with its tensor, part and offset. No format needs to be installed. The parts of a
    tensor whose format is installed are also compared with what the format declares.
    """
    from fourcc.container import verify as container

    _refuse_other(file)
    files, done = container.files_on_disk(file), 0
    size = sum(each.stat().st_size for each in files)
    damages: list[Damage] = []
    with Progress("verifying", size, quiet=quiet) as progress:

        def report(nbytes: int) -> None:
            nonlocal done
            done += nbytes
            progress("", done, size)

        for damage in container.damages(file, report):
            damages.append(damage)
            if not as_json:
                progress.clear()
                tables.paragraph(_line(damage), style=("red",))
    if as_json:
        json_documents.show("verify", _document(file, size, damages))
    elif not quiet:
        summary = f"{len(damages)} damaged place{'s' * (len(damages) != 1)}" if damages else "no damage"
        style = "red" if damages else "green"
        shards = f"{len(files)} shards, " if len(files) > 1 else ""
        tables.paragraph(f"{file}: {shards}{units.plain_bytes(size)}, {summary}", style=(style,))
    if damages:
        raise typer.Exit(1)


def _refuse_other(file: Path) -> None:
    """Raises InputError for a file that never was a model.bin, in words that say what it is."""
    from fourcc.files.signatures import HEAD_BYTES, looks_like

    if file.is_file() and file.stat().st_size and not show.is_model(file):
        with file.open("rb") as opened:
            what = f"only a model.bin has checksums, and this is none: {looks_like(opened.read(HEAD_BYTES))}"
        hint = "`fourcc inspect FILE` shows what a checkpoint holds, `fourcc diff A B` compares two."
        raise InputError(what, file=file, hint=hint)


def _line(damage: Damage) -> str:
    where = "" if damage.file is None or damage.file in damage.what else f"{damage.file}, "
    where += "" if damage.tensor is None else f"tensor {damage.tensor!r}, "
    if damage.part is not None:
        where += f"{'blob' if damage.tensor is None else 'part'} {damage.part!r}, "
    if damage.nbytes:
        where += f"bytes {damage.offset} to {damage.offset + damage.nbytes - 1}, "
    return f"{where.removesuffix(', ')}: {damage.what}" if where else damage.what


def _document(file: object, size: int, damages: list[Damage]) -> dict[str, object]:
    return {
        "file": str(file),
        "bytes": size,
        "intact": not damages,
        "damage": [
            {
                "what": damage.what,
                "file": damage.file,
                "tensor": damage.tensor,
                "part": damage.part,
                "offset": damage.offset,
                "bytes": damage.nbytes,
            }
            for damage in damages
        ],
    }
