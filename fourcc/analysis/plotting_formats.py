"""The picture of formats: each by its bits and by its decibels, those that no other beats, and 6.02 dB for each bit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.analysis.offers import DB_PER_BIT, Suggestion, totals
from fourcc.analysis.plotting import GREY, KINDS, headed, legend_below, titled
from fourcc.analysis.plotting_names import Spot, place_names
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.0  # inches
TICKS = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64)  # bits
MANY = 2000  # dots above which they are drawn as pixels in files of lines, too
FRONT, OTHER, PARTIAL = (KINDS[0], "o"), (GREY, "s"), (KINDS[1], "D")


@attrs.frozen
class FormatPoint:
    """A format in the picture.

    Attributes:
        name: its tag, with settings that are not the defaults.
        bits: per weight.
        decibels: signal over error.
        compared: whether it fits as many tensors as any: only those are compared with each other.
        on_front: whether no compared one has fewer bits and more decibels.
        ringed: whether it gets a ring around its mark.
    """

    name: str
    bits: float
    decibels: float
    compared: bool = True
    on_front: bool = False
    ringed: bool = False


def draw_formats(
    figure: Figure, suggestions: Sequence[Suggestion], model: str | Path = "", *, width: float = WIDTH
) -> None:
    """Draws every format that was tried, over the tensors that it fits, and as dots what it gives single tensors.

    Args:
        figure: a new one.
        suggestions: of the tensors.
        model: its name, or its file.
        width: of the picture, in inches.

    Raises:
        UsageError: no format could be tried, or none loses anything.
    """
    found = [each for each in totals(suggestions) if isfinite(each.sqnr_db)]
    if not found:
        raise UsageError("there is nothing to draw", hint="No format could be tried.")
    most = max(each.tensors for each in found)
    points = [FormatPoint(str(each.tag), float(each.bits), each.sqnr_db, each.tensors == most) for each in found]
    dots = [
        (float(offer.bits), offer.sqnr_db)
        for each in suggestions
        for offer in each.offers
        if offer.sums is not None and isfinite(offer.sqnr_db)
    ]
    tried = sum(bool(each.offers) for each in suggestions)
    below = f"Formats tried on {tried} {'tensor' if tried == 1 else 'tensors'}: signal over error of the weights"
    draw_points(
        figure, marked(points), titled(model, "formats by size and error"), below, "SQNR (dB)", dots, width=width
    )


def marked(points: Iterable[FormatPoint]) -> list[FormatPoint]:
    """The points by bits, those marked that no compared one beats."""
    found, best = list[FormatPoint](), float("-inf")
    for each in sorted(points, key=lambda each: (each.bits, -each.decibels, each.name)):
        ahead = each.compared and each.decibels > best
        best = each.decibels if ahead else best
        found.append(attrs.evolve(each, on_front=ahead))
    return found


def draw_points(  # noqa: PLR0913 - the picture's words, by name
    figure: Figure,
    points: Sequence[FormatPoint],
    title: str,
    below: str,
    unit: str,
    dots: Sequence[tuple[float, float]] = (),
    *,
    width: float = WIDTH,
    ring: str = "",
) -> None:
    """Draws formats that lose something, each with its name, and the line through those that no other beats.

    Args:
        figure: a new one.
        points: by bits.
        title: of the picture.
        below: a line below the title.
        unit: of the vertical axis.
        dots: bits and decibels of single tensors.
        width: in inches.
        ring: what the ring around a mark means.
    """
    figure.set_size_inches(width, min(7, max(3, 0.55 * width)))
    panel = figure.subplots()
    entries: list[tuple[Artist, str]] = []
    if dots:
        (drawn,) = panel.plot(
            *zip(*dots, strict=True), ".", color="#b9b9b9", ms=3, rasterized=len(dots) > MANY, zorder=1
        )
        entries.append((drawn, "formats on a single tensor"))
    front = [each for each in points if each.on_front]
    line = [(each.bits, each.decibels) for each in front]
    (drawn,) = panel.plot(*zip(*line, strict=True), f"{FRONT[1]}-", color=FRONT[0], lw=1.2, ms=5, zorder=3)
    entries.append((drawn, "Pareto line: none is smaller and better"))
    entries += _marks(panel, points, ring)
    _scales(panel, points, unit)
    slope = _slope(panel)
    (drawn,) = panel.plot(*zip(*slope, strict=True), color=GREY, lw=1, ls="--", zorder=1)
    entries.append((drawn, "6.02 dB for each bit"))
    legend_below(figure, entries)
    headed(figure, title, below)
    _name(figure, panel, points, (line, slope))


def _marks(panel: Axes, points: Sequence[FormatPoint], ring: str) -> list[tuple[Artist, str]]:
    """Draws the marks of each sort of point; gives the legend's entries."""
    sorts = [
        (OTHER, "other formats", [each for each in points if each.compared and not each.on_front]),
        (PARTIAL, "formats that do not fit all of the tensors", [each for each in points if not each.compared]),
    ]
    entries: list[tuple[Artist, str]] = []
    for (colour, marker), words, some in sorts:
        if some:
            places = [each.bits for each in some], [each.decibels for each in some]
            (drawn,) = panel.plot(*places, marker, color=colour, mfc="white", ms=5, ls="none", zorder=3)
            entries.append((drawn, words))
    ringed = [each for each in points if each.ringed]
    if ringed:
        places = [each.bits for each in ringed], [each.decibels for each in ringed]
        (drawn,) = panel.plot(*places, "o", ms=11, mfc="none", mec=GREY, ls="none", zorder=2)
        entries.append((drawn, ring))
    return entries


def _scales(panel: Axes, points: Sequence[FormatPoint], unit: str) -> None:
    """Bits on a logarithmic axis: most formats have 2 to 9, plain floats 16."""
    least, most = min(each.bits for each in points), max(each.bits for each in points)
    panel.set_xscale("log", base=2)
    panel.set_xlim(least / 1.15, most * 1.15)
    panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.set_xticks([], minor=True)
    panel.set_xlim(least / 1.15, most * 1.15)
    heights = [each.decibels for each in points]
    margin = 0.06 * (max(heights) - min(heights)) + 1
    panel.set_ylim(min(heights) - margin, max(heights) + margin)
    panel.set_xlabel("bits per weight")
    panel.set_ylabel(unit)


def _slope(panel: Axes) -> list[tuple[float, float]]:
    """Bits and decibels of a uniform quantizer inside the panel; on a logarithmic axis they are a curve."""
    (low, high), top = panel.get_xlim(), panel.get_ylim()[1]
    bits = [low * (high / low) ** (step / 100) for step in range(101)]
    return [(each, DB_PER_BIT * each) for each in bits if DB_PER_BIT * each <= top] or [(low, top)]


def _name(
    figure: Figure, panel: Axes, points: Sequence[FormatPoint], lines: Iterable[Sequence[tuple[float, float]]]
) -> None:
    """Names every format, those of the Pareto line first."""
    colours = {True: FRONT[0], False: GREY}
    spots = [
        Spot(
            each.name, each.bits, each.decibels, colours[each.on_front] if each.compared else PARTIAL[0], each.on_front
        )
        for each in points
    ]
    place_names(figure, panel, spots, lines, note="upper left")
