"""The options of `fourcc run` that belong to a talk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fourcc.cli.shared import completion

CHAT = "In a chat (-m chat)"  # heading of the help page

System = Annotated[
    str | None,
    typer.Option(
        "--system",
        "-y",
        metavar="TEXT",
        help="Text that the model is told first.  [default: a terminal is asked]",
        rich_help_panel=CHAT,
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="NAME",
        help="How messages are written for the model: a name, or FILE.jinja.  [default: as the model says]",
        rich_help_panel=CHAT,
        autocompletion=completion.template,
    ),
]
Tools = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A JSON list of the functions that the model may ask for.", rich_help_panel=CHAT),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A variable of the template, such as enable_thinking=false.",
        rich_help_panel=CHAT,
    ),
]
