"""The picture of a frontier: KL divergence against bytes, with the mixes that have names beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from math import hypot
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

from fourcc.analysis.plotting import KINDS
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fourcc.calibration.fitting import FittedMix
    from fourcc.calibration.named_mixes import Kind

SIZE = (8.0, 5.0)  # inches
FONT = 7.0  # points
LETTER, LINE = 0.62 * FONT, 1.25 * FONT  # width of a letter, height of a line, in points; both a little large
LINE_COLOUR, CHOSEN_COLOUR = KINDS[0], KINDS[1]
MARKERS: dict[Kind, tuple[str, str, str]] = {
    "uniform": ("o", KINDS[5], "single format"),
    "recipe": ("D", KINDS[3], "recipe"),
}
LEAST_SHARE = (
    1e-3  # of the largest divergence: points below are left out, or an option without loss would stretch the axis
)

Box = tuple[float, float, float, float]  # left, bottom, right, top in points


class Spot(NamedTuple):
    """A named mix in the picture: its name, its place in the panel's units, its colour."""

    name: str
    x: float
    y: float
    colour: str


def draw_frontier(figure: Figure, mix: FittedMix) -> None:
    """Draws the frontier, the mix that was allocated, uniform mixes and recipes.

    Raises:
        UsageError: no point has a divergence.
    """
    figure.set_size_inches(*SIZE)
    panel = figure.subplots()
    panel.set_yscale("log")
    panel.set_xlabel("bytes of all tensors (MB)")
    panel.set_ylabel("predicted KL divergence (nats a token)")
    panel.margins(x=0.06)
    per_bit = max(1, mix.plan.weights) / 8e6
    bits = panel.secondary_xaxis("top", functions=(partial(mul, 1 / per_bit), partial(mul, per_bit)))
    bits.set_xlabel("bits per weight")
    least = LEAST_SHARE * max(point.kld for point in mix.points)
    line = [(point.nbytes / 1e6, point.kld) for point in mix.points if point.kld >= least > 0]
    if not line:
        raise UsageError("there is nothing to draw", hint="No option of the costs has a KL divergence above 0.")
    panel.plot(*zip(*line, strict=True), ".-", color=LINE_COLOUR, lw=1.2, ms=3, label="best mixes")
    spots = [spot for kind in MARKERS for spot in _mark(panel, kind, mix, least)]
    if mix.allocation.kld >= least:
        here = [mix.plan.nbytes / 1e6], [mix.allocation.kld]
        panel.plot(*here, "*", color=CHOSEN_COLOUR, ms=9, ls="none", label="this budget")
    panel.legend(loc="lower left")
    _label(figure, panel, spots, line)


def _mark(panel: Axes, kind: Kind, mix: FittedMix, least: float) -> list[Spot]:
    """Draws a mark for each named mix of a kind; gives their names and places."""
    marker, colour, label = MARKERS[kind]
    some = [each for each in mix.named if each.kind == kind and each.allocation.kld >= least]
    spots = [
        Spot(each.name, (each.allocation.nbytes + mix.other_bytes) / 1e6, each.allocation.kld, colour) for each in some
    ]
    if spots:
        at = [spot.x for spot in spots], [spot.y for spot in spots]
        panel.plot(*at, marker, color=colour, ms=4, ls="none", label=label)
    return spots


def _label(figure: Figure, panel: Axes, spots: Sequence[Spot], line: Sequence[tuple[float, float]]) -> None:
    """Writes names beside their marks, where they cover no mark, other name or point of the line.

    A name that is far from its mark, or nearer to another one, has a line to it. A name for which there is no room is
    left out.
    """
    figure.draw_without_rendering()  # so that the panel has its place
    scale = 72 / figure.dpi
    pixels = panel.transData.transform([*((spot.x, spot.y) for spot in spots), *line])
    at = [(float(x) * scale, float(y) * scale) for x, y in pixels]
    left, bottom, right, top = (edge * scale for edge in panel.bbox.extents)
    marks = at[: len(spots)]
    taken: list[Box] = [(x - 3, y - 3, x + 3, y + 3) for x, y in at]
    for (name, x, y, colour), (px, py) in sorted(zip(spots, at, strict=False), key=lambda each: each[1]):
        for dx, dy in _offsets(len(name) * LETTER):
            box = (px + dx, py + dy - LINE / 2, px + dx + len(name) * LETTER, py + dy + LINE / 2)
            inside = left <= box[0] and box[2] <= right and bottom <= box[1] and box[3] <= top
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                arrow = {"arrowstyle": "-", "lw": 0.4, "color": colour, "shrinkA": 0, "shrinkB": 2}
                far = max(abs(dx), abs(dy)) > 10 + len(name) * LETTER * (dx < 0)
                doubtful = min(_gap(box, other) for other in marks) < _gap(box, (px, py))
                panel.annotate(
                    name,
                    (x, y),
                    (dx, dy),
                    textcoords="offset points",
                    va="center",
                    fontsize=FONT,
                    color=colour,
                    arrowprops=arrow if far or doubtful else None,
                )
                break


def _offsets(width: float) -> Iterator[tuple[float, float]]:
    """Places for the left middle of a name, seen from its mark: right and left of it, then further up and down."""
    for far in range(16):
        heights = (far * LINE, -far * LINE) if far else (0.0,)
        yield from product((5.0 + 2 * far, -width - 5.0 - 2 * far), heights)


def _gap(box: Box, place: tuple[float, float]) -> float:
    """The distance of a place from a box, in points."""
    x, y = place
    return hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
