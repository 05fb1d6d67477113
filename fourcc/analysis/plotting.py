"""Pictures of weights, drawn by the package matplotlib, as PNG, SVG or PDF.

No window is opened and no global setting is changed. Equal input gives equal SVG text: no date, ids from a fixed salt.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from fourcc import installation
from fourcc.analysis.offers import DB_PER_BIT, Suggestion, totals
from fourcc.analysis.statistics import Statistics
from fourcc.analysis.survey import Surveyed, regrouped
from fourcc.errors import UsageError
from fourcc.naming import split_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS = 120  # at most, of a histogram in a picture
WIDE = 20  # measures that differ by more are drawn on a logarithmic axis
# The original's area, the line of the converted weights, a line without an original.
BEFORE, AFTER, SINGLE = (
    "#9db7d5",
    "#c2410c",
    "#3b6ea5",
)
KINDS = ("#1b6ca8", "#d1495b", "#3c8d4f", "#e08e1b", "#7b4fa3", "#4d4d4d", "#17a2a2", "#b5651d", "#e377c2", "#8c8c00")
MARKERS = "osD^vPX*<>"
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "fourcc",
    "svg.fonttype": "none",
}
FORMATS = ("png", "svg", "pdf")


def check_kind(kind: str) -> Any:  # noqa: ANN401 - a module
    """The package matplotlib. Raises UsageError where it is missing, or cannot draw that kind of picture."""
    if kind not in FORMATS:
        raise UsageError("no such kind of picture", found=repr(kind), expected=" or ".join(FORMATS))
    try:
        return import_module("matplotlib")
    except ImportError as error:
        hint = installation.hint("plots")
        raise UsageError("plots need the package matplotlib, which is not installed", hint=hint) from error


def rendered(draw: Callable[[Figure], None], kind: str) -> bytes:
    """The bytes of a picture's file.

    Args:
        draw: draws on a new figure.
        kind: ``png``, ``svg`` or ``pdf``.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to draw.
    """
    matplotlib = check_kind(kind)
    with matplotlib.rc_context(STYLE):
        figure = import_module("matplotlib.figure").Figure(layout="constrained")
        draw(figure)
        file = io.BytesIO()
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(file, format=kind, dpi=150, metadata=dated.get(kind))
    return file.getvalue()


def draw_weights(figure: Figure, survey: Iterable[Surveyed]) -> None:
    """Draws histograms: a panel for every kind of tensor, a line for every layer.

    Where the tensors are compared with an original, a kind's layers are added up: the original is a filled area, the
    converted weights are a line.
    """
    kinds = _kinds(survey)
    axes = _grid(figure, len(kinds), sharey=True)
    deepest = max((each.layer or 0 for tensors in kinds.values() for each in tensors), default=0)
    compared = any(each.before is not None for tensors in kinds.values() for each in tensors)
    for panel, (name, tensors) in zip(axes, kinds.items(), strict=False):
        panel.set_title(name)
        panel.set_yscale("log", nonpositive="clip")
        if compared:
            _compare(panel, tensors)
        else:
            _overlay(panel, tensors, deepest)
    for panel in axes[:: _columns(len(kinds))]:
        panel.set_ylabel("density (share per unit)")
    figure.supxlabel("weight", fontsize=8)
    if compared:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    elif deepest:
        _layer_scale(figure, axes, deepest)


def draw_layers(figure: Figure, survey: Iterable[Surveyed]) -> None:
    """Draws measures over the layers: a panel for every measure, a line for every kind of tensor."""
    tensors = [each for each in survey if each.layer is not None and each.now is not None]
    if not tensors:
        raise UsageError("there is nothing to draw over layers", hint="These tensors belong to no layer.")
    kinds = _kinds(tensors)
    measures: list[tuple[str, Callable[[Surveyed], float | None]]] = [
        ("standard deviation", lambda each: each.now.std if each.now else None),
        ("largest |weight|", lambda each: _largest(each.now)),
        ("kurtosis (normal: 3)", lambda each: each.now.kurtosis if each.now else None),
        ("loudest row's RMS / median", lambda each: _contrast(each.now)),
    ]
    if any(each.error is not None for each in tensors):
        measures.append(("SQNR (dB)", lambda each: None if each.error is None else each.error.sqnr_db))
    axes = _grid(figure, len(measures), columns=2)
    for panel, (title, measure) in zip(axes, measures, strict=True):
        panel.set_title(title)
        values = [value for each in tensors if (value := measure(each)) and isfinite(value)]
        wide = values and min(values) > 0 and max(values) > WIDE * min(values)
        panel.set_yscale("log" if wide else "linear")
        for number, (name, some) in enumerate(kinds.items()):
            points = [(each.layer, value) for each in some if (value := measure(each)) is not None and isfinite(value)]
            colour, marker = KINDS[number % len(KINDS)], MARKERS[number % len(MARKERS)]
            places = [*zip(*points, strict=True)] or [(), ()]
            panel.plot(*places, color=colour, marker=marker, ms=3.5, lw=1.2, label=name)
        panel.set_xlabel("layer")
        panel.xaxis.set_major_locator(_whole_numbers())
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def draw_formats(figure: Figure, suggestions: Sequence[Suggestion]) -> None:
    """Draws every format by its bits and its SQNR over the tensors that it fits, and every tensor as a dot.

    The dashed line marks 6.02 dB for every bit.
    """
    figure.set_size_inches(8, 4)
    panel = figure.subplots()
    ordered = sorted(totals(suggestions), key=lambda each: each.bits)
    lossy = [each for each in ordered if isfinite(each.sqnr_db)]
    if not lossy:
        raise UsageError("there is nothing to draw", hint="No format could be tried.")
    everyone = max(each.tensors for each in lossy)
    for number, each in enumerate(lossy):
        colour, marker = KINDS[number % len(KINDS)], MARKERS[number // len(KINDS) % len(MARKERS)]
        dots = [(float(o.bits), o.sqnr_db) for some in suggestions for o in some.offers if o.tag == each.tag and o.sums]
        panel.plot(*zip(*dots, strict=True), ".", color=colour, alpha=0.35, ms=4)
        some = "" if each.tensors == everyone else f", {each.tensors} of {everyone} tensors"
        label = f"{each.tag}  {float(each.bits):.3g} bits, {each.sqnr_db:.1f} dB{some}"
        hollow = "white" if some else colour
        panel.plot([float(each.bits)], [each.sqnr_db], marker, color=colour, mfc=hollow, ms=6, label=label, ls="none")
    panel.axline((0, 0), slope=DB_PER_BIT, color="#777777", lw=1, ls="--", label="6.02 dB for each bit")
    panel.set_xlim(0, float(lossy[-1].bits) + 1)
    panel.set_ylim(0, max(each.sqnr_db for each in lossy) * 1.1)
    panel.set_xlabel("bits per weight")
    panel.set_ylabel("SQNR (dB)")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper")


def _kinds(survey: Iterable[Surveyed]) -> dict[str, list[Surveyed]]:
    """Tensors by their name without the layer; vectors only where there is nothing else."""
    known = [each for each in survey if each.now is not None and each.now.minimum is not None]
    wide = [each for each in known if len(each.shape) > 1] or known
    if not wide:
        raise UsageError("there is nothing to draw", hint="No tensor could be read.")
    kinds: dict[str, list[Surveyed]] = {}
    for each in wide:
        kinds.setdefault(split_name(each.name)[0].rpartition("*.")[2], []).append(each)
    return kinds


def _columns(count: int) -> int:
    return min(count, 2 if count == 4 else 3)


def _grid(figure: Figure, count: int, *, columns: int = 0, sharey: bool = False) -> list[Axes]:
    columns = min(count, columns) or _columns(count)
    rows = -(-count // columns)
    figure.set_size_inches(0.6 + 2.6 * columns, 0.7 + 1.9 * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for empty in axes[count:]:
        empty.remove()
    return axes[:count]


def _overlay(panel: Axes, tensors: list[Surveyed], deepest: int) -> None:
    colours = import_module("matplotlib").colormaps["viridis"]
    for each in tensors:
        assert each.now is not None
        colour = SINGLE if each.layer is None else colours(0.92 * each.layer / max(1, deepest))
        panel.stairs(*_density([each.now], _extent([each.now])), color=colour, lw=1, baseline=None)


def _compare(panel: Axes, tensors: list[Surveyed]) -> None:
    both = [each for each in tensors if each.before is not None]
    befores = [each.before for each in both if each.before is not None]
    afters = [each.now for each in (both or tensors) if each.now is not None]
    extent = _extent([*befores, *afters])
    if befores:
        panel.stairs(*_density(befores, extent), fill=True, color=BEFORE, lw=0, label="before")
    panel.stairs(*_density(afters, extent), color=AFTER, lw=1, baseline=None, label="after")


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


def _layer_scale(figure: Figure, axes: list[Axes], deepest: int) -> None:
    colours = import_module("matplotlib.colors")
    scale = import_module("matplotlib.cm").ScalarMappable(colours.Normalize(0, deepest / 0.92), "viridis")
    bar = figure.colorbar(scale, ax=axes, label="layer", aspect=40, pad=0.01)
    bar.ax.set_ylim(0, deepest)
    bar.ax.yaxis.set_major_locator(_whole_numbers())


def _whole_numbers() -> Any:  # noqa: ANN401 - the package's
    """A locator that places the ticks of an axis on whole numbers."""
    return import_module("matplotlib.ticker").MaxNLocator(integer=True)


def _largest(known: Statistics | None) -> float | None:
    if known is None or known.minimum is None or known.maximum is None:
        return None
    return max(-known.minimum, known.maximum)


def _contrast(known: Statistics | None) -> float | None:
    return known.rows.high / known.rows.median if known is not None and known.rows and known.rows.median else None
