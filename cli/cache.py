"""`fourcc cache`: the compiled kernels on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.shared.options import Json
from fourcc.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = """\b
Examples:
  fourcc cache
  fourcc cache --clear

Kernels are compiled when they are first used, and kept. An entry is named by all that it depends on (its source, the
compilers' versions, the processor), so it is never stale; clearing costs a few seconds of compiling, and nothing else.
FOURCC_CACHE=FOLDER keeps them elsewhere."""

Clear = Annotated[bool, typer.Option("--clear", help="Remove all of them.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(cache)


def cache(*, clear: Clear = False, as_json: Json = False) -> None:
    """Show or clear the compiled kernels on disk."""
    from fourcc import compute

    folder, paths = compute.cache_folder(), compute.cache_entries()
    size = sum(path.stat().st_size for path in paths)
    if clear:
        _remove(paths)
    if as_json:
        found = {"folder": str(folder), "kernels": len(paths), "bytes": size, "cleared": clear}
        json_documents.show("cache", {**found, "used": compute.cache_is_trusted()})
        return
    tables.facts([("folder", str(folder)), ("kernels", str(len(paths))), ("size", units.plain_bytes(size))])
    if clear:
        terminal.out("cleared")
    elif folder.exists() and not compute.cache_is_trusted():
        terminal.out("not used: it belongs to someone else, or others may write to it")


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot be removed: {error.strerror}", file=path) from error
