"""`fourcc join`: one file from a model in shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fourcc.cli.render import reshard_tables
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options

EPILOG = """\b
Examples:
  fourcc join model.index.json -o model.bin
  fourcc join model-00001-of-00003.bin -o model.bin
  fourcc join ./model -o model.bin

The file is the one that a conversion without --shard-size writes, byte for byte. Every byte is compared with its
checksum while it is copied. Split GGUF files and sharded safetensors become one file with `fourcc export`."""

Shards = Annotated[
    Path, typer.Argument(metavar="SHARDS", help="A shard of a model.bin, the list of all, or their folder.")
]
Target = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="File to write; in a folder, model.bin.", parser=options.existing_folder
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(join)


def join(
    shards: Shards,
    *,
    output: Target,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Make one file of a model.bin that is in shards."""
    from fourcc.container import resharding
    from fourcc.files.write import in_folder

    output = in_folder(output)
    reshard_tables.refuse_other(shards, "join", output)
    with Progress("joining", 0, quiet=quiet) as progress:
        made = resharding.join(shards, output, force=force, progress=progress)
    reshard_tables.show("join", output, made, quiet=quiet, as_json=as_json)
