"""`fourcc stats`: statistics of weights, before and after quantization, and the format that would fit best."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from fourcc.cli.render import stats_tables, suggestion_tables, terminal
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options, picture_files
from fourcc.cli.shared.open_model import asked_rules
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.analysis.offers import Suggestion, Wish
    from fourcc.analysis.survey import Selection, Survey
    from fourcc.policy import Policy
    from fourcc.sources.source import Source

EPILOG = """\b
Examples:
  fourcc stats stories.bin
  fourcc stats stories.bin --role 'ffn.*' --layers '0, -1' --plot weights.png
  fourcc stats q4.bin --against stories.bin --plot-layers layers.svg
  fourcc stats stories.bin --format Q4_0,F16 --include '*wq'
  fourcc stats stories.bin --suggest --plot formats.png
  fourcc stats stories.bin --min-sqnr 30 --write-policy mixed.toml

Pictures are PNG, SVG or PDF by the name's end, and need the extra 'plots'. --suggest tries every format that has an
encoder on a sample of each matrix; without --min-sqnr or --max-bits it takes the one furthest above 6.02 dB per bit.

SQNR tells how well a format fits a matrix, not how much the model suffers: two matrices of equal SQNR may differ a
hundredfold. `fourcc measure` measures that, and `fourcc allocate` makes a policy of it."""

Against = Annotated[
    Path | None, typer.Option("--against", metavar="ORIGINAL", help="Compare with what SRC was made from.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw histograms, or with --suggest the formats.")
]
PlotLayers = Annotated[Path | None, typer.Option("--plot-layers", metavar="FILE", help="Draw measures over layers.")]
Suggest = Annotated[bool, typer.Option("--suggest", help="Try the formats, and say which fits each tensor best.")]
MinSqnr = Annotated[
    float | None, typer.Option("--min-sqnr", metavar="DB", help="Suggest the smallest format of at least this SQNR.")
]
MaxBits = Annotated[
    float | None, typer.Option("--max-bits", metavar="B", help="Suggest the best format of at most B bits per weight.")
]
WritePolicy = Annotated[
    Path | None, typer.Option("--write-policy", metavar="FILE", help="Write what is suggested as a policy.")
]


@attrs.frozen
class Pictures:
    """Files for the pictures."""

    main: Path | None
    layers: Path | None
    force: bool


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(stats)


def stats(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    against: Against = None,
    formats: options.Formats = None,
    recipe: options.Recipe = None,
    policy: options.PolicyFile = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    role: options.Role = None,
    layers: options.Layers = "",
    suggest: Suggest = False,
    min_sqnr: MinSqnr = None,
    max_bits: MaxBits = None,
    sample: options.Sample = options.DEFAULT_SAMPLE,
    write_policy: WritePolicy = None,
    plot: Plot = None,
    plot_layers: PlotLayers = None,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Show what weights are like, and which format fits.

    Before and after quantization: range, moments, outliers, spread of channels, histograms. Weights are read in tiles,
    in bounded memory.
    """
    from fourcc.analysis.offers import Wish
    from fourcc.analysis.survey import Selection

    selection = Selection(tuple(include or ()), tuple(exclude or ()), tuple(role or ()), layers)
    pictures, wish = Pictures(plot, plot_layers, force), Wish(min_sqnr, max_bits)
    suggests = suggest or any(each is not None for each in (write_policy, min_sqnr, max_bits))
    _check(suggests, [against, formats, recipe, policy], plot_layers, wish, sample)
    with ExitStack() as stack:
        opened = _opened(source, stack, quiet=quiet)
        if suggests:
            suggested = _suggest(opened, selection, wish, sample, write_policy, pictures, quiet=quiet)
            return suggestion_tables.show(source, suggested, as_json=as_json)
        now, original = opened, None if against is None else _opened(against, stack, quiet=quiet)
        if (rules := asked_rules(policy, formats, recipe)) is not None:
            now, original = _converted(opened, selection, rules, threads, stack), opened
        surveyed = _survey(now, original, selection, pictures, threads, quiet=quiet)
    return stats_tables.show(source, surveyed, as_json=as_json)


def _check(suggests: bool, compared: list[object], plot_layers: Path | None, wish: Wish, sample: int) -> None:  # noqa: FBT001 - said by its name
    """Refuses options that exclude each other, and numbers that mean nothing."""
    compares = sum(each is not None for each in compared)
    if compares > 1 or (suggests and (compares or plot_layers is not None)):
        what = (
            "--against, --format, --recipe, --policy and suggestions exclude each other; "
            "--plot-layers goes with no suggestion"
        )
        raise UsageError(what, hint="Run it once for each.")
    options.check_sample(sample)
    for option, value in (("--min-sqnr", wish.min_sqnr), ("--max-bits", wish.max_bits)):
        if value is not None and not (isfinite(value) and value > 0):
            raise UsageError(f"bad value of {option}", found=value, expected="a number above 0")


def _opened(path: Path, stack: ExitStack, *, quiet: bool) -> Source:
    from fourcc.sources import open_source

    opened = stack.enter_context(open_source(path))
    terminal.notes(opened.notes, quiet=quiet)
    return opened


def _converted(
    source: Source,
    selection: Selection,
    rules: Policy,
    threads: int | None,
    stack: ExitStack,
) -> Source:
    """The wanted tensors, converted into a temporary file."""
    from fourcc.conversion.plan import plan
    from fourcc.models.temporary import carried_out
    from fourcc.sources.model_bin import open_model_bin

    names = [tensor.name.replace("[", "[[]") for tensor in selection.of(source)]
    planned = plan(source, rules, include=names)
    fd, _ = carried_out(planned, stack, threads)
    return stack.enter_context(open_model_bin(source.path, fd))


def _survey(
    now: Source, original: Source | None, selection: Selection, pictures: Pictures, threads: int | None, *, quiet: bool
) -> Survey:
    from fourcc.analysis.plotting_layers import draw_layers
    from fourcc.analysis.plotting_weights import draw_weights
    from fourcc.analysis.survey import survey

    drawings = [(pictures.main, draw_weights), (pictures.layers, draw_layers)]
    targets = [
        (picture_files.checked(path, now, force=pictures.force), draw) for path, draw in drawings if path is not None
    ]
    weights = sum(prod(tensor.shape) for tensor in selection.of(now))
    with Progress("reading", weights, quiet=quiet, unit="weights") as progress:
        surveyed = survey(now, selection, original, progress, threads)
    for target, draw in targets:
        picture_files.write(target, partial(draw, survey=surveyed, model=now.path))
    return surveyed


def _suggest(
    source: Source,
    selection: Selection,
    wish: Wish,
    sample: int,
    write_policy: Path | None,
    pictures: Pictures,
    *,
    quiet: bool,
) -> list[Suggestion]:
    from fourcc.analysis.extraction import write_runs
    from fourcc.analysis.plotting_formats import draw_formats
    from fourcc.analysis.suggestion import policy, suggest
    from fourcc.files.write import check_target

    target = None if pictures.main is None else picture_files.checked(pictures.main, source, force=pictures.force)
    written = None if write_policy is None else check_target(write_policy, source.all_files, force=pictures.force)
    tensors = selection.of(source)
    with Progress("trying formats", len(tensors), quiet=quiet, unit="tensors") as progress:
        suggestions = suggest(tensors, wish, sample, progress)
    terminal.notes(wish.refuse_unmet(suggestions), quiet=quiet)
    if written is not None:
        write_runs([policy(source, suggestions).text.encode()], written)
    if target is not None:
        picture_files.write(target, partial(draw_formats, suggestions=suggestions, model=source.path))
    return suggestions
