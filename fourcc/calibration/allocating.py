"""From a file of costs to the file of a policy: `fourcc.allocate`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.analysis.extraction import write_runs
from fourcc.analysis.plotting import check_kind, rendered
from fourcc.calibration.budget import Budget
from fourcc.calibration.costs import Costs
from fourcc.calibration.costs_reading import read_costs
from fourcc.calibration.fitting import FittedMix, fit
from fourcc.calibration.frontier_plot import draw_frontier
from fourcc.calibration.model_digest import model_digest
from fourcc.calibration.pins import Pin, as_options, as_pins, spelled
from fourcc.errors import InputError, UsageError
from fourcc.files.write import check_target
from fourcc.plugins.registry import registry
from fourcc.sources import open_source

if TYPE_CHECKING:
    from fourcc.sources.source import Source


def allocate(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: str | Path,
    costs: str | Path | Costs,
    output: str | Path | None = None,
    *,
    budget: str | Budget,
    options: str | Iterable[str] | None = None,
    pins: str | Iterable[str | Pin] = (),
    min_toks: float | None = None,
    picture: str | Path | None = None,
    tokenizer: str | Path | None = None,
    force: bool = False,
) -> FittedMix:
    """Chooses an option for each unit of a model, and makes a policy of the choice.

    Args:
        model: the checkpoint that was measured.
        costs: of the model, or their file.
        output: the policy's file; None: none is written.
        budget: ``"2.4MB"`` or ``"30%"`` (of the source) for the file, or ``"4.0bpw"`` for the tensors.
        options: the options to choose from: ``TAG[:NAME=VALUE]...[,TAG...]``; None: all in the costs.
        pins: units whose option is given: ``role=GLOB:TAG`` or ``GLOB:TAG``; of several, the first that selects a unit.
        min_toks: products of a token must take at most a second for so many tokens.
        picture: a file for the picture of the frontier: PNG, SVG or PDF.
        tokenizer: a tokenizer file that the conversion will store, so that the file's length is right.
        force: replace existing outputs.

    Returns:
        The mix with its policy, its plan, and the best mixes of one format and of a recipe for the same budget.

    Raises:
        UsageError: the costs are of another model, an argument is wrong, no mix is within the budget, or fast enough.
        InputError: a file is damaged.
        PluginError: a format is missing or broken.
    """
    asked, wanted, pinned = Budget.of(budget), as_options(options), as_pins(pins)
    _check_speed(min_toks)
    known = costs if isinstance(costs, Costs) else read_costs(costs)
    file = None if isinstance(costs, Costs) else costs
    with open_source(Path(model), None if tokenizer is None else Path(tokenizer)) as source:
        read = (*source.all_files, *([Path(file)] if file is not None else []))
        target = None if output is None else check_target(Path(output), read, force=force)
        drawn = None if picture is None else _picture(Path(picture), read, force=force)
        if target is not None and target == drawn:
            raise UsageError("the policy and the picture have one name", file=target, hint="Give another name to one.")
        _check_model(known, source, file)
        _check_bytes(known, source, file)
        mix = fit(source, known, asked, pinned, wanted, min_toks)
    if target is not None:
        write_runs([mix.policy.text.encode()], target)
    if drawn is not None:
        write_runs([rendered(partial(draw_frontier, mix=mix, model=Path(model)), _kind(drawn))], drawn)
    return mix


def _check_speed(min_toks: float | None) -> None:
    if min_toks is not None and not 0 < min_toks < float("inf"):
        raise UsageError("bad number of tokens a second", found=min_toks, expected="a number above 0")


def _check_model(costs: Costs, source: Source, file: str | Path | None) -> None:
    """Raises UsageError where the costs are of another model."""
    digest = model_digest(source)
    if digest != costs.model:
        raise UsageError(
            f"these are the costs of another model than {source.path}",
            file=file,
            found=costs.model,
            expected=digest,
            hint="Measure the model that is converted: `fourcc measure`.",
        )


def _check_bytes(costs: Costs, source: Source, file: str | Path | None) -> None:
    """Raises InputError where shapes or bytes are not those of the model's tensors: somebody edited them."""
    for unit in costs.units:
        shapes = tuple(source.tensor(name).shape for name in unit.tensors)
        what, hint = "the costs do not fit the model", "Measure the model again: `fourcc measure`."
        if unit.shapes != shapes:
            raise InputError(what, file=file, tensor=unit.name, found=unit.shapes, expected=shapes, hint=hint)
        for option in (each for each in unit.options if each.tag in registry):  # others may be left unchosen
            fmt = registry[option.tag]
            nbytes = sum(fmt.stored_bytes(shape, option.params) for shape in shapes)
            if not fmt.variable and option.nbytes != nbytes:
                found, expected = f"{option.nbytes} bytes for {spelled(option)}", f"{nbytes}"
                raise InputError(what, file=file, tensor=unit.name, found=found, expected=expected, hint=hint)


def _picture(path: Path, read: tuple[Path, ...], *, force: bool) -> Path:
    """The checked path of a picture; its suffix must be a kind that can be drawn."""
    check_kind(_kind(path))
    return check_target(path, read, force=force)


def _kind(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
