"""The words of `fourcc join` and `fourcc split`: what they refuse, and what they wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, units
from fourcc.errors import InputError

if TYPE_CHECKING:
    from fourcc.container.resharding import Resharded


def refuse_other(path: Path, command: str, output: Path) -> None:
    """Raises InputError for files of another kind than ours, and names the command that goes with them."""
    from fourcc.container.folder_models import is_container

    path.stat()
    if is_container(path):
        return
    suffix = path.suffix if path.suffix in {".gguf", ".safetensors"} else ".gguf"
    option = " --shard-size BYTES" if command == "split" else ""
    hint = f"`fourcc export {path.name} -o {output.stem}{suffix}{option}` does that with files of other kinds."
    raise InputError(f"{command} takes a model.bin, whole or in shards", file=path, hint=hint)


def show(command: str, output: Path, made: Resharded, *, quiet: bool, as_json: bool) -> None:
    """Writes the summary, or the JSON object, to stdout."""
    written = output.with_name(made.path.name)
    names = [path.name for path in made.files]
    if as_json:
        told = {"output": str(written), "id": made.digest.hex(), "files": names, "file_bytes": made.nbytes}
        json_documents.show(command, told)
    elif not quiet:
        shards = [("shards", str(len(names)))] if len(names) > 1 else []
        size = units.plain_bytes(made.nbytes)
        tables.facts([("output", str(written)), *shards, ("id", made.digest.hex()), ("bytes", size)])
