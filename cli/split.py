"""`fourcc split`: a model.bin cut into shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fourcc.cli.render import reshard_tables
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options

EPILOG = """\b
Examples:
  fourcc split model.bin -o model --shard-size 1GB
  fourcc split model.index.json -o smaller/model --shard-size 500MB

-o model gives model-00001-of-00003.bin and so on, and model.index.json. Every command reads any of them, or their
folder. A shard takes tensors in their order until the next would make it too long; `fourcc join` makes the same file
again. `fourcc export -o x.gguf --shard-size 1GB` writes split GGUF files."""

Target = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="NAME",
        help="Name of the shards, without a number; or a folder for them.",
        parser=options.existing_folder,
    ),
]
Size = Annotated[
    str, typer.Option("--shard-size", metavar="BYTES", help="Bytes of tensors that a shard holds at most, such as 1GB.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(split)


def split(
    file: options.Model,
    *,
    output: Target,
    size: Size,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Cut a model.bin into shards."""
    from fourcc.container import resharding
    from fourcc.files.write import in_folder

    output = in_folder(output, "model")
    reshard_tables.refuse_other(file, "split", output)
    with Progress("splitting", 0, quiet=quiet) as progress:
        made = resharding.split(file, output, shard_size=size, force=force, progress=progress)
    reshard_tables.show("split", output, made, quiet=quiet, as_json=as_json)
