"""The picture of weights: histograms, a panel for every kind of tensor, alone or beside what they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from math import inf, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourcc.analysis.plotting import GREY, KINDS, axes_of, fitting, headed, legend_below, titled, whole_numbers
from fourcc.analysis.statistics import Statistics
from fourcc.analysis.survey import Surveyed, regrouped
from fourcc.errors import UsageError
from fourcc.metrics import ErrorSums
from fourcc.naming import split_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS = 120  # at most, of a histogram in a picture
PANELS = 24  # at most: kinds with fewer weights are left out
NAMED = 6  # layers that a legend names; more have a scale of colours
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))  # of named layers, beside their colours
BEFORE, AFTER, SINGLE = "#a9c4de", KINDS[1], KINDS[0]  # the original's area, the converted weights, no layer
BRIGHTEST = 0.88  # of viridis: lighter lines are lost on white


def draw_weights(figure: Figure, survey: Iterable[Surveyed], model: str | Path = "", *, width: float = 0) -> None:
    """Draws histograms: a panel for every kind of tensor, a line for every layer.

    Where the tensors are compared with an original, a kind's layers are added up: the original is a filled area, the
    converted weights are a line, and the panel tells formats, bits and SQNR.

    Args:
        figure: a new one.
        survey: of the tensors.
        model: its name, or its file.
        width: of the picture, in inches; 0: what three panels need.

    Raises:
        UsageError: no tensor could be read.
    """
    kinds, left_out = _largest(kinds_of(survey))
    compared = any(each.before is not None for tensors in kinds.values() for each in tensors)
    columns = 2 if len(kinds) == 4 else 3
    axes = axes_of(figure, len(kinds), width, columns=columns, height=2.0 if compared else 1.85, sharey=True)
    layers = sorted({each.layer for tensors in kinds.values() for each in tensors if each.layer is not None})
    room = 72 * (figure.get_figwidth() / _in_a_row(axes) - 0.45)
    entries: list[tuple[Artist, str]] = []
    for panel, (name, tensors) in zip(axes, kinds.items(), strict=True):
        panel.set_yscale("log", nonpositive="clip")
        lines = [fitting(name, room, 8, bold=True)]
        if compared:
            entries = _compare(panel, tensors) or entries
            lines.append(fitting(_change(tensors), room, 7))
        else:
            _overlay(panel, tensors, layers)
        panel.set_title(lines[0], pad=16 if compared else 4, parse_math=False)
        if compared:
            panel.text(0, 1.02, lines[1], transform=panel.transAxes, fontsize=7, color=GREY, parse_math=False)
    for panel in axes[:: _in_a_row(axes)]:
        panel.set_ylabel("density")
    for panel in axes[-_in_a_row(axes) :]:
        panel.set_xlabel("weight")
    _explain(figure, axes, layers, entries)
    more = f"; {left_out} smaller kinds of tensor are not drawn" if left_out else ""
    what = "weights before and after quantization" if compared else "distribution of the weights"
    headed(figure, titled(model, what), f"Share of the weights for each unit of the horizontal axis{more}")


def kinds_of(survey: Iterable[Surveyed]) -> dict[str, list[Surveyed]]:
    """Tensors by their name without the layer; vectors only where there is nothing else. Raises UsageError for none."""
    known = [each for each in survey if each.now is not None and each.now.minimum is not None]
    wide = [each for each in known if len(each.shape) > 1] or known
    if not wide:
        raise UsageError("there is nothing to draw", hint="No tensor could be read.")
    kinds: dict[str, list[Surveyed]] = {}
    for each in wide:
        kinds.setdefault(kind_of(each.name), []).append(each)
    return kinds


def kind_of(name: str) -> str:
    """A tensor's name without its layer: ``layers.3.attention.wq`` is ``attention.wq``."""
    template, _, ending = split_name(name)
    return template.rpartition("*.")[2] + (ending if ending == ".bias" else "")


def layer_colours(layers: Sequence[int]) -> dict[int, Any]:
    """A colour for each layer: dark ones first, brighter ones with every layer, also in print without colours."""
    scale = import_module("matplotlib").colormaps["viridis"]
    return {layer: scale(BRIGHTEST * number / max(1, len(layers) - 1)) for number, layer in enumerate(layers)}


def _largest(kinds: dict[str, list[Surveyed]]) -> tuple[dict[str, list[Surveyed]], int]:
    """The kinds that are drawn, those with most weights in their order, and the number of the others."""
    sizes = {name: sum(prod(each.shape) for each in tensors) for name, tensors in kinds.items()}
    drawn = set(sorted(sizes, key=lambda name: -sizes[name])[:PANELS])
    return {name: tensors for name, tensors in kinds.items() if name in drawn}, len(kinds) - len(drawn)


def _in_a_row(axes: Sequence[Axes]) -> int:
    grid = axes[0].get_gridspec()
    return int(grid.ncols) if grid is not None else 1


def _overlay(panel: Axes, tensors: list[Surveyed], layers: Sequence[int]) -> None:
    colours = layer_colours(layers)
    for each in tensors:
        assert each.now is not None
        named = each.layer is not None and len(layers) <= NAMED
        dash = DASHES[layers.index(each.layer)] if named and each.layer is not None else "-"
        colour = SINGLE if each.layer is None else colours[each.layer]
        bars, edges = _density([each.now], _extent([each.now]))
        panel.stairs(bars, edges, color=colour, lw=1, ls=dash, baseline=None)


def _compare(panel: Axes, tensors: list[Surveyed]) -> list[tuple[Artist, str]]:
    """Draws both; gives the legend's entries where there is an original."""
    both = [each for each in tensors if each.before is not None]
    befores = [each.before for each in both if each.before is not None]
    afters = [each.now for each in (both or tensors) if each.now is not None]
    extent = _extent([*befores, *afters])
    filled = [panel.stairs(*_density(befores, extent), fill=True, color=BEFORE, lw=0)] if befores else []
    line = panel.stairs(*_density(afters, extent), color=AFTER, lw=1, baseline=None)
    return [(filled[0], "before"), (line, "after")] if filled else []


def _change(tensors: list[Surveyed]) -> str:
    """Formats, bits per weight and SQNR of a kind's tensors together."""
    both = [each for each in tensors if each.before is not None] or tensors
    befores, afters = (_tags(tag for each in both if (tag := tags(each))) for tags in (_before_tag, _after_tag))
    weights = sum(prod(each.shape) for each in both)
    bits = sum(prod(each.shape) * each.bits_per_weight for each in both) / max(1, weights)
    error = sum((each.error for each in both if each.error is not None), ErrorSums())
    lossless = "no loss" if error.noise == 0 else f"SQNR {error.sqnr_db:.1f} dB"
    compared = any(each.error is not None for each in both)
    return f"{f'{befores} to ' if befores else ''}{afters}, {bits:.3g} bits{f', {lossless}' if compared else ''}"


def _before_tag(each: Surveyed) -> str | None:
    return each.before_tag


def _after_tag(each: Surveyed) -> str | None:
    return each.tag


def _tags(tags: Iterable[str]) -> str:
    """Up to two tags; of more, their number."""
    found = list(dict.fromkeys(tags))
    return " and ".join(found) if len(found) < 3 else f"{len(found)} formats"


def _extent(statistics: Sequence[Statistics]) -> tuple[float, float]:
    lows = [each.minimum for each in statistics if each.minimum is not None]
    highs = [each.maximum for each in statistics if each.maximum is not None]
    return min(lows), max(highs)


def _density(statistics: Sequence[Statistics], extent: tuple[float, float]) -> tuple[list[float], list[float]]:
    """The share of all weights in every bar, divided by the bar's width, and the bars' edges.

    Few weights get few bars: twice the cube root of their number (Rice's rule).
    """
    total = sum(each.weights for each in statistics) or 1
    count = min(BARS, max(8, round(2 * total ** (1 / 3))))
    histograms = [regrouped(each.bins, *extent, count) for each in statistics]
    sums = [sum(each.count for each in column) for column in zip(*histograms, strict=True)]
    bars = histograms[0]
    width = (bars[0].high - bars[0].low) or inf
    return [each / total / width for each in sums], [bars[0].low, *(each.high for each in bars)]


def _explain(figure: Figure, axes: list[Axes], layers: Sequence[int], entries: list[tuple[Artist, str]]) -> None:
    """Says what the lines are: before and after, a few layers by name, or many on a scale with a step for each."""
    if entries:
        legend_below(figure, entries)
    elif 1 < len(layers) <= NAMED:
        lines = import_module("matplotlib.lines")
        colours = layer_colours(layers)
        marks = [lines.Line2D([], [], color=colours[each], ls=dash) for each, dash in zip(layers, DASHES, strict=False)]
        legend_below(figure, [(mark, f"layer {layer}") for mark, layer in zip(marks, layers, strict=True)])
    elif len(layers) > NAMED:
        _layer_scale(figure, axes, layers)


def _layer_scale(figure: Figure, axes: list[Axes], layers: Sequence[int]) -> None:
    """A bar of colours with one step for each layer that is drawn."""
    colours = import_module("matplotlib.colors")
    steps = colours.ListedColormap(list(layer_colours(layers).values()))
    norm = colours.BoundaryNorm([step - 0.5 for step in range(len(layers) + 1)], len(layers))
    scale = import_module("matplotlib.cm").ScalarMappable(norm, steps)
    bar = figure.colorbar(scale, ax=axes, label="layer", aspect=40, pad=0.01)
    ticks = whole_numbers(len(layers) - 1)
    bar.set_ticks(ticks, labels=[str(layers[tick]) for tick in ticks])
    bar.ax.minorticks_off()
