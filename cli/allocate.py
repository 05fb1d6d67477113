"""`fourcc allocate`: the mix of formats with the least damage for a budget, as a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fourcc.cli.shared import completion, options

EPILOG = """\b
Examples:
  fourcc allocate stories.bin --costs model.costs --budget 4.0bpw -o mixed.toml
  fourcc allocate stories.bin --costs model.costs --budget 2.4MB --pin role=embedding:Q6_K -o mixed.toml
  fourcc allocate stories.bin --costs model.costs --budget 2.4MB --frontier frontier.png

A budget in bytes (kB, MB, GB, KiB, MiB, GiB) or in percent of the source limits the whole file, with everything in it;
one in bpw limits the bits per weight of all tensors, as `inspect` prints them. `fourcc convert SRC --policy mixed.toml
--calibration model.calib` makes the file. Without -o nothing is written."""

CostsFile = Annotated[Path, typer.Option("--costs", metavar="FILE", help="What `fourcc measure` wrote for this model.")]
BudgetText = Annotated[str, typer.Option("--budget", metavar="SIZE", help="2.4MB, 30% of the source, or 4.0bpw.")]
Options = Annotated[
    str | None,
    typer.Option(
        "--options",
        metavar="TAG[,TAG]",
        help="Formats to choose from.  [default: all in the costs]",
        autocompletion=completion.tags,
    ),
]
Pins = Annotated[
    list[str] | None,
    typer.Option(
        "--pin",
        metavar="GLOB:TAG",
        help="Format of these tensors, or of role=GLOB:TAG; may be repeated.",
        autocompletion=completion.pin,
    ),
]
MinToks = Annotated[
    float | None,
    typer.Option("--min-toks", metavar="N", help="At least N tokens a second by products; needs `measure --seconds`."),
]
Frontier = Annotated[
    Path | None,
    typer.Option(
        "--frontier", metavar="FILE", help="Draw the least damage for every size (PNG, SVG, PDF), and list it."
    ),
]

Tokenizer = Annotated[
    Path | None,
    typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer file that `convert` will store: it counts, too."),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(allocate)


def allocate(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    costs: CostsFile,
    budget: BudgetText,
    output: options.Output = None,
    tags: Options = None,
    pin: Pins = None,
    min_toks: MinToks = None,
    frontier: Frontier = None,
    tokenizer: Tokenizer = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Choose each matrix's format: the least damage for a budget.

    Damage is KL divergence from the original, as `fourcc measure` found it. The result is a policy, a text that can be
    read, edited and checked.
    """
    from fourcc.calibration.allocating import allocate as allocated
    from fourcc.cli.render import mix_tables

    mix = allocated(
        source,
        costs,
        output,
        budget=budget,
        options=tags,
        pins=pin or (),
        min_toks=min_toks,
        picture=frontier,
        tokenizer=tokenizer,
        force=force,
    )
    if as_json:
        mix_tables.show_document(mix, output, listed=frontier is not None)
    elif not quiet:
        mix_tables.show(mix, output, listed=frontier is not None)
