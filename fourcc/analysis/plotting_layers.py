"""The picture of measures over a model's layers: norms among them, and what stands before and after the layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.analysis.plotting import KINDS, MARKERS, axes_of, headed, legend_below, titled, whole_numbers
from fourcc.analysis.plotting_weights import kind_of
from fourcc.analysis.statistics import Statistics
from fourcc.analysis.survey import Surveyed
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 20  # measures that differ by more are drawn on a logarithmic axis
MOST = 21  # kinds of tensor: so many are told apart by colour, marker and line
PLAIN_ROLES = ("other", "bias")  # tensors of no layer with these roles are not drawn

Measure = Callable[[Surveyed], float | None]


@attrs.frozen
class Ends:
    """The places of the horizontal axis.

    Attributes:
        deepest: number of the last layer.
        before, after: places of what comes before the first layer and after the last.
    """

    deepest: int
    before: float
    after: float

    @classmethod
    def of(cls, deepest: int) -> Ends:
        """Ends that are far enough from the layers for their names."""
        gap = max(1.0, 0.08 * deepest)
        return cls(deepest, -gap, deepest + gap)

    def place(self, each: Surveyed) -> float:
        """Where a tensor stands: at its layer; an embedding before, everything else of no layer after."""
        if each.layer is not None:
            return each.layer
        return self.before if "embedding" in each.roles else self.after


def draw_layers(figure: Figure, survey: Iterable[Surveyed], model: str | Path = "", *, width: float = 0) -> None:
    """Draws measures over the layers: a panel for every measure, a line for every kind of tensor.

    Matrices have solid lines, vectors (norms) dashed ones; the embedding stands before the first layer, the last norm
    and the output after the last one.

    Args:
        figure: a new one.
        survey: of the tensors.
        model: its name, or its file.
        width: of the picture, in inches; 0: what two panels need.

    Raises:
        UsageError: the tensors belong to no layer, or hold no finite weight.
    """
    known = [each for each in survey if each.now is not None]
    layers = {each.layer for each in known if each.layer is not None}
    if not layers:
        raise UsageError("there is nothing to draw over layers", hint="These tensors belong to no layer.")
    ends, kinds = Ends.of(max(layers)), _kinds(known)
    drawn = dict(list(kinds.items())[:MOST])
    measures = _measures([each for some in drawn.values() for each in some])
    if not measures:
        raise UsageError("there is nothing to draw over layers", hint="No weight of these tensors is finite.")
    axes = axes_of(figure, len(measures), width or 6.4, columns=2, height=2.1)
    entries: list[tuple[Artist, str]] = []
    for panel, (name, measure) in zip(axes, measures, strict=True):
        panel.set_title(name)
        entries = _lines(panel, drawn, measure, ends)
        _layer_axis(panel, ends, drawn)
    legend_below(figure, entries)
    more = f"; {len(kinds) - MOST} more kinds of tensor are not drawn" if len(kinds) > MOST else ""
    headed(figure, titled(model, "weights over the layers"), f"Vectors have dashed lines{more}")


def _kinds(tensors: Sequence[Surveyed]) -> dict[str, list[Surveyed]]:
    """Tensors of layers by kind, and those of no layer that a network has; matrices before vectors."""
    kinds: dict[str, list[Surveyed]] = {}
    for each in sorted(tensors, key=lambda each: len(each.shape) < 2):
        if each.layer is not None or not set(each.roles) <= set(PLAIN_ROLES):
            kinds.setdefault(kind_of(each.name), []).append(each)
    return kinds


def _measures(tensors: Sequence[Surveyed]) -> list[tuple[str, Measure]]:
    """The measures of which any tensor has a value."""
    measures: list[tuple[str, Measure]] = [
        ("standard deviation", lambda each: each.now.std if each.now else None),
        ("largest |weight|", lambda each: _largest(each.now)),
        ("kurtosis (normal: 3)", lambda each: each.now.kurtosis if each.now else None),
        ("loudest row's RMS / median", lambda each: _contrast(each.now)),
        ("SQNR (dB)", lambda each: None if each.error is None else each.error.sqnr_db),
        ("bits per weight", lambda each: each.bits_per_weight if each.before is not None else None),
    ]
    return [(name, measure) for name, measure in measures if any(_value(measure, each) is not None for each in tensors)]


def _value(measure: Measure, each: Surveyed) -> float | None:
    value = measure(each)
    return value if value is not None and isfinite(value) else None


def _lines(panel: Axes, kinds: dict[str, list[Surveyed]], measure: Measure, ends: Ends) -> list[tuple[Artist, str]]:
    """Draws a measure of each kind; gives the legend's entries."""
    values = [value for some in kinds.values() for each in some if (value := _value(measure, each)) is not None]
    panel.set_yscale("log" if min(values) > 0 and max(values) > WIDE * min(values) else "linear")
    entries: list[tuple[Artist, str]] = []
    for number, (name, some) in enumerate(kinds.items()):
        points = sorted((ends.place(each), value) for each in some if (value := _value(measure, each)) is not None)
        places = [*zip(*points, strict=True)] or [(), ()]
        colour, marker = KINDS[number % len(KINDS)], MARKERS[number % len(MARKERS)]
        inner, dash = ("white", "--") if len(some[0].shape) < 2 else (colour, "-")
        every = max(1, len(points) // 16)
        (line,) = panel.plot(*places, color=colour, marker=marker, mfc=inner, ls=dash, ms=3.5, lw=1, markevery=every)
        entries.append((line, name))
    return entries


def _layer_axis(panel: Axes, ends: Ends, kinds: dict[str, list[Surveyed]]) -> None:
    """Whole layers, and names for the places before and after them where something stands there."""
    ticks: dict[float, str] = {tick: str(tick) for tick in whole_numbers(ends.deepest, ticks=6)}
    places = {ends.place(each) for some in kinds.values() for each in some}
    ticks |= {place: name for place, name in ((ends.before, "in"), (ends.after, "out")) if place in places}
    panel.set_xticks(list(ticks), list(ticks.values()))
    gap = 0.4 * (ends.after - ends.deepest)
    panel.set_xlim(min([0.0, *places]) - gap, max([float(ends.deepest), *places]) + gap)
    panel.set_xlabel("layer")


def _largest(known: Statistics | None) -> float | None:
    if known is None or known.minimum is None or known.maximum is None:
        return None
    return max(-known.minimum, known.maximum)


def _contrast(known: Statistics | None) -> float | None:
    return known.rows.high / known.rows.median if known is not None and known.rows and known.rows.median else None
