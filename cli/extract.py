"""`fourcc extract`: decoded weights as a .npy file, or a blob as it is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli import show
from fourcc.cli.render import json_documents, terminal
from fourcc.cli.render.show_tensor import find
from fourcc.cli.shared import completion, options
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.sources.source import Source

EPILOG = """\b
Examples:
  fourcc extract model.bin layers.0.attention.wq -o wq.npy
  fourcc extract model.bin norm -o - | python -c 'import numpy, sys; print(numpy.load(sys.stdin.buffer))'
  fourcc extract model.bin --blob policy.toml -o mixed.toml"""

STDOUT = Path("-")

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The tensor.", autocompletion=completion.tensor)]
Blob = Annotated[
    str | None,
    typer.Option(
        "--blob", metavar="NAME", help="A blob instead, for example a tokenizer.", autocompletion=completion.blob
    ),
]
Target = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write; - for stdout.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(extract)


def extract(
    source: options.Source,
    name: Name = None,
    *,
    output: Target,
    blob: Blob = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Write a tensor's weights as .npy, or a blob as it is."""
    if (name is None) == (blob is None):
        raise UsageError("extract takes either a tensor's NAME or --blob NAME")
    if output == STDOUT and as_json:
        raise UsageError("--json prints an object, so the data cannot go to stdout, too", hint="Give -o FILE.")
    if output == STDOUT and terminal.on_terminal(sys.stdout):
        raise UsageError("binary data is not written to a terminal", hint="Redirect it, or give -o FILE.")
    from fourcc.analysis.extraction import write_runs
    from fourcc.files.write import check_target
    from fourcc.sources import open_source
    from fourcc.sources.elsewhere import RANGES

    with open_source(source, None, RANGES) as opened:
        terminal.notes(opened.notes, quiet=quiet)
        runs = _runs(opened, name, blob)
        if output == STDOUT:
            return _to_stdout(runs)
        target = check_target(output, opened.all_files, force=force)
        write_runs(runs, target)
        told = _document(opened, output, name, blob, target.stat().st_size)
    return json_documents.show("extract", told) if as_json else None


def _document(source: Source, output: Path, name: str | None, blob: str | None, nbytes: int) -> dict[str, object]:
    """The object of ``--json``: the array that was written, or the blob."""
    told: dict[str, object] = {"file": str(source.path), "output": str(output), "tensor": name, "blob": blob}
    if name is not None:
        tensor = find(source, name)
        told |= {"tensor": tensor.name, "tag": str(tensor.tag), "shape": list(tensor.shape)}
        told["dtype"] = tensor.format.decoded
    return {**told, "file_bytes": nbytes}


def _runs(source: Source, name: str | None, blob: str | None) -> Iterable[bytes]:
    """The bytes to write, in runs."""
    from fourcc.analysis.extraction import npy_runs

    if name is not None:
        return npy_runs(find(source, name))
    blobs = _blobs(source)
    if blob is None or blob not in blobs:
        hint = f"There are: {', '.join(blobs)}." if blobs else "It holds none."
        raise UsageError(f"no blob is named {blob!r}", file=source.path, hint=hint)
    return [blobs[blob]]


def _blobs(source: Source) -> Mapping[str, bytes]:
    """The blobs of a checkpoint. Those of a model.bin include its policy, which a source does not carry."""
    from fourcc.container.reader import ModelFile

    if not show.is_model(source.path):
        return source.blobs
    with ModelFile(source.path) as model:
        return {blob.name: model.blob(blob.name) for blob in model.index.blobs}


def _to_stdout(runs: Iterable[bytes]) -> None:
    stream = terminal.stdout().buffer
    try:
        for run in runs:
            stream.write(run)
    except OSError as error:
        raise terminal.lost(error) from error
