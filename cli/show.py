"""`fourcc inspect`: the contents of a file, and their cost. Of a model.bin only the index is read, without numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fourcc.cli.shared import completion, options, serving
from fourcc.cli.shared.transfer_options import by_ranges
from fourcc.errors import UsageError

EPILOG = """\b
Examples:
  fourcc inspect model.bin
  fourcc inspect model.bin --tensor layers.0.attention.wq
  fourcc inspect stories.bin --json
  fourcc inspect model.calib
  fourcc inspect model.costs --tensor layers.0.attention.wq
  fourcc inspect model.bin --web

--web serves the page of `fourcc report` to browsers of this machine, until Ctrl-C. It needs the extra 'report'."""

OLDER = ".dat"
Name = Annotated[
    str | None,
    typer.Option("--tensor", metavar="NAME", help="Show one tensor in depth.", autocompletion=completion.tensor),
]

Web = Annotated[bool, typer.Option("--web", help="Serve a page that shows the model, at 127.0.0.1.")]
Port = Annotated[
    int,
    typer.Option("--port", metavar="N", help="With --web: its port.  [default: any that is free]", show_default=False),
]
Open = Annotated[bool, typer.Option("--open", help="With --web: open the page in the browser.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("inspect", epilog=EPILOG)(inspect)


def inspect(
    source: options.Source,
    *,
    tensor: Name = None,
    web: Web = False,
    port: Port = 0,
    open_page: Open = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """List the tensors of a model.bin or another checkpoint.

    Format, bits per weight, bytes, and the error that was measured while encoding. Of a calibration, what it knows of
    each matrix's inputs; of a file of costs, its units, and with --tensor a unit's options.
    """
    if not web and (port or open_page):
        raise UsageError("--port and --open go with --web")
    with by_ranges(source) as place:
        if web:
            _check_web(place, [tensor is not None, as_json])
            serving.serve_model(place, port, open_page=open_page, quiet=quiet)
        else:
            _show(place, tensor, quiet=quiet, as_json=as_json)


def _show(source: Path, tensor: str | None, *, quiet: bool, as_json: bool) -> None:
    """Shows a file as what it is."""
    if is_calibration(source):
        from fourcc.cli.render import show_calibration

        show_calibration.show(source, tensor, as_json=as_json)
    elif not is_model(source) and is_costs_file(source):
        from fourcc.cli.render import costs_tables

        costs_tables.inspect(source, tensor, as_json=as_json)
    elif tensor is not None:
        from fourcc.cli.render import show_tensor  # here, not above: a listing loads only what it shows

        show_tensor.show(source, tensor, as_json=as_json)
    elif is_model(source):
        from fourcc.cli.render import show_model

        show_model.show(source, as_json=as_json)
    else:
        from fourcc.cli.render import show_source

        show_source.show(source, quiet=quiet, as_json=as_json)


def _check_web(source: Path, others: list[bool]) -> None:
    """Refuses options that a page has no use for, and files that are no models."""
    if any(others):
        raise UsageError("--web excludes --tensor and --json", hint="The page shows every tensor.")
    if is_calibration(source) or (not is_model(source) and is_costs_file(source)):
        hint = "`fourcc report MODEL --costs FILE --calibration FILE -o report.html` shows them with their model."
        raise UsageError("--web shows models", file=source, hint=hint)


def is_calibration(path: Path) -> bool:
    """Whether a path is a calibration, by its first bytes; one of the older kind has no mark, but a name."""
    from fourcc.files.signatures import HEAD_BYTES, is_imatrix

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix == OLDER or is_imatrix(file.read(HEAD_BYTES))


def is_model(path: Path) -> bool:
    """Whether a path leads to a model.bin, whole or in shards, or to what was one before it was damaged."""
    from fourcc.container.folder_models import is_container

    return is_container(path)


def is_costs_file(path: Path) -> bool:
    """Whether a path is a file of costs, as `fourcc measure` writes it."""
    from fourcc.calibration.costs_reading import is_costs

    return is_costs(path)
