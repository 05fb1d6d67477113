"""Names beside the points of a picture, none of which covers a point, a line to a point, or another name.

A name goes to the nearest free place around its point. One that is far from it, or nearer to another point, gets a line
to its own. Names that matter more are placed first; where there is no place left, a name is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import cos, hypot, pi, sin
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from fourcc.analysis.plotting import GREY, SMALL, text_width
from fourcc.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 1.25 * SMALL  # height of a name, in points
MARK = 3.5  # half the width of a mark
NEAR = 9.0  # a name whose nearest edge is further away has a line to its point
DISTANCES = (5.0, 8.0, 12.0, 17.0, 23.0, 30.0, 38.0, 47.0, 57.0, 68.0, 80.0, 95.0, 112.0, 130.0)
ANGLES = (0, 8, 4, 12, 1, 15, 7, 9, 2, 14, 6, 10, 3, 13, 5, 11)  # sixteenths of a turn: beside it before above it

NOTE = "{} without a name, for lack of room"

Corner = Literal["upper left", "lower left"]
Box = tuple[float, float, float, float]  # left, bottom, right, top, in points
Place = tuple[float, float]  # in points


class Spot(NamedTuple):
    """A point with a name.

    Attributes:
        name: its name.
        x, y: its place, in the panel's units.
        colour: of the name.
        first: whether its name is placed before those of the others, in bold letters.
    """

    name: str
    x: float
    y: float
    colour: str
    first: bool = False


def place_names(
    figure: Figure, panel: Axes, spots: Sequence[Spot], lines: Iterable[Sequence[Place]] = (), *, note: Corner
) -> None:
    """Writes names beside their points, and how many found no place. The figure's layout must not change afterwards.

    Args:
        figure: the figure.
        panel: the axes of the points.
        spots: the points with names.
        lines: corners of lines that no name may cover, in the panel's units.
        note: the panel's corner that is kept free for the note.
    """
    figure.draw_without_rendering()  # so that the panel has its place
    scale = 72 / figure.dpi
    marks = _in_points(panel, [(spot.x, spot.y) for spot in spots], scale)
    left, bottom, right, top = (float(edge) * scale for edge in panel.bbox.extents)
    covered = [place for line in lines for place in _steps(_in_points(panel, line, scale))]
    room = 3 + text_width(NOTE.format(len(spots)), SMALL)
    kept = (left, top - 2 * LINE, left + room, top)
    if note == "lower left":
        kept = (left, bottom, left + room, bottom + 2 * LINE)
    taken = _Taken((left, bottom, right, top), marks, covered, kept)
    order = sorted(range(len(spots)), key=lambda number: (not spots[number].first, marks[number]))
    missing = 0
    for number in order:
        spot, mark = spots[number], marks[number]
        width = text_width(spot.name, SMALL, bold=spot.first) + 1
        box = next((box for box in _around(mark, width) if taken.free(box, mark)), None)
        if box is None:
            missing += 1
        else:
            _write(panel, spot, mark, box, leads=taken.add(box, mark))
    if missing:
        y, edge = (0.99, "top") if note == "upper left" else (0.01, "bottom")
        panel.text(0.01, y, NOTE.format(missing), transform=panel.transAxes, va=edge, fontsize=SMALL, color=GREY)


class _Taken:
    """The places of a panel that are taken: marks, names, and the lines between them."""

    def __init__(self, inside: Box, marks: Sequence[Place], covered: Sequence[Place], kept: Box) -> None:
        self._inside, self._marks = inside, marks
        boxes = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in marks]
        self._boxes: Array = np.array([*boxes, *((x, y, x, y) for x, y in covered), kept]).reshape(-1, 4)
        self._names: list[Box] = []
        self._leads: list[tuple[Place, Place]] = []

    def free(self, box: Box, mark: Place) -> bool:
        """Whether a name may stand there: inside, on nothing, and with a free way to its mark."""
        left, bottom, right, top = self._inside
        if not (left <= box[0] and box[2] <= right and bottom <= box[1] and box[3] <= top):
            return False
        old = self._boxes
        if bool(((old[:, 0] < box[2]) & (old[:, 2] > box[0]) & (old[:, 1] < box[3]) & (old[:, 3] > box[1])).any()):
            return False
        way = _nearest(box, mark), mark
        return not any(_crosses(lead, box) for lead in self._leads) and not any(
            _crosses(way, other) for other in self._names
        )

    def add(self, box: Box, mark: Place) -> bool:
        """Takes a place; tells whether the name needs a line to its mark."""
        gap = _gap(box, mark)
        leads = gap > NEAR or any(_gap(box, other) < gap for other in self._marks if other != mark)
        self._boxes = np.vstack([self._boxes, box])
        self._names.append(box)
        if leads:
            self._leads.append((_nearest(box, mark), mark))
        return leads


def _write(panel: Axes, spot: Spot, mark: Place, box: Box, *, leads: bool) -> None:
    arrow = {"arrowstyle": "-", "lw": 0.5, "color": spot.colour, "shrinkA": 0, "shrinkB": 2, "relpos": _part(box, mark)}
    text = panel.annotate(
        spot.name,
        (spot.x, spot.y),
        (box[0] - mark[0], (box[1] + box[3]) / 2 - mark[1]),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        fontweight="bold" if spot.first else "normal",
        color=spot.colour,
        arrowprops=arrow if leads else None,
        parse_math=False,
    )
    text.set_in_layout(False)  # the panel has its place


def _in_points(panel: Axes, places: Sequence[Place], scale: float) -> list[Place]:
    if not places:
        return []
    return [(float(x) * scale, float(y) * scale) for x, y in panel.transData.transform(places)]


def _steps(corners: Sequence[Place]) -> list[Place]:
    """Places along a line, a few points apart."""
    found = list(corners[:1])
    for (a, b), (c, d) in pairwise(corners):
        count = max(1, int(hypot(c - a, d - b) / 4))
        found += [(a + (c - a) * step / count, b + (d - b) * step / count) for step in range(1, count + 1)]
    return found


def _around(mark: Place, width: float) -> Iterator[Box]:
    """Places for a name, the nearest first: each touches a circle around the mark from outside."""
    for far in DISTANCES:
        for angle in ANGLES:
            across, up = cos(angle * pi / 8), sin(angle * pi / 8)
            x, y = mark[0] + far * across, mark[1] + far * up
            left = x if across > 0.1 else x - width if across < -0.1 else x - width / 2
            bottom = y - LINE * (1 - up) / 2
            yield (left, bottom, left + width, bottom + LINE)


def _nearest(box: Box, place: Place) -> Place:
    """The place of a box that is nearest to another place."""
    return min(max(place[0], box[0]), box[2]), min(max(place[1], box[1]), box[3])


def _part(box: Box, mark: Place) -> tuple[float, float]:
    """Where on a name's box the line to its mark starts, from 0 to 1 across and up."""
    x, y = _nearest(box, mark)
    return (x - box[0]) / (box[2] - box[0] or 1), (y - box[1]) / (box[3] - box[1])


def _gap(box: Box, place: Place) -> float:
    x, y = _nearest(box, place)
    return hypot(x - place[0], y - place[1])


def _crosses(way: tuple[Place, Place], box: Box) -> bool:
    """Whether a straight way passes through a box: what is left of it between the box's sides has a length."""
    (a, b), (c, d) = way
    enter, leave = 0.0, 1.0
    for start, step, low, high in ((a, c - a, box[0], box[2]), (b, d - b, box[1], box[3])):
        if step == 0:
            if not low < start < high:
                return False
            continue
        ends = sorted(((low - start) / step, (high - start) / step))
        enter, leave = max(enter, ends[0]), min(leave, ends[1])
    return enter < leave
