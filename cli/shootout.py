"""`fourcc shootout`: all installed formats on a model's own tensors, by size, error and speed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fourcc.cli.render import shootout_tables, terminal
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion, options, picture_files

EPILOG = """\b
Examples:
  fourcc shootout stories.bin
  fourcc shootout stories.bin --options Q4_0,Q4_K,Q4_A:method=equal-count --picture formats.png
  fourcc shootout stories.bin --calibration stories.calib
  fourcc shootout stories.bin --role 'ffn.*' --no-speed --json

This compares formats with each other, on this model. `stats --suggest` chooses a format for each tensor by the error of
its weights, and writes a policy; `bench` measures kernels on random weights against this machine's limits."""

Options = Annotated[
    str | None,
    typer.Option(
        "--options",
        metavar="TAG[,TAG]",
        help="Formats, each with settings TAG:NAME=VALUE.  [default: all]",
        autocompletion=completion.tags,
    ),
]
Picture = Annotated[
    Path | None, typer.Option("--picture", metavar="FILE", help="Draw bits and error: PNG, SVG or PDF, extra 'plots'.")
]
NoSpeed = Annotated[bool, typer.Option("--no-speed", help="Time no products.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("shootout", epilog=EPILOG)(shootout)


def shootout(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    tags: Options = None,
    calibration: options.CalibrationFile = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    role: options.Role = None,
    layers: options.Layers = "",
    sample: options.Sample = options.DEFAULT_SAMPLE,
    no_speed: NoSpeed = False,
    picture: Picture = None,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Compare all formats on a model's own weights.

    For each format: the bits that it really takes, the error of the weights, with --calibration the error of the
    outputs, and the speed of products on this machine. A star marks the formats that no other beats in bits and
    error, a plus those that none beats once speed counts.
    """
    from fourcc.analysis.survey import Selection
    from fourcc.bench.shootout.picture import draw_shootout
    from fourcc.bench.shootout.run import aids_of, compete
    from fourcc.sources import open_source

    options.check_sample(sample)
    selection = Selection(tuple(include or ()), tuple(exclude or ()), tuple(role or ()), layers)
    with open_source(source) as opened:
        terminal.notes(opened.notes, quiet=quiet)
        target = None if picture is None else picture_files.checked(picture, opened, force=force)
        aids, times = aids_of(calibration, opened), not no_speed
        with Progress("comparing", 0, quiet=quiet, unit="steps") as progress:
            result = compete(
                *(opened, selection, tags, aids), sample=sample, speed=times, threads=threads, progress=progress
            )
    if target is not None:
        picture_files.write(target, partial(draw_shootout, result=result, model=source))
    shootout_tables.show(source, result, as_json=as_json)
