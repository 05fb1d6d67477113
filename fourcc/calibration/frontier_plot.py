"""The picture of a frontier: KL divergence against bytes, with the mixes that have names beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from operator import mul
from typing import TYPE_CHECKING

from fourcc.analysis.plotting import KINDS
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fourcc.calibration.frontier import FrontierPoint
    from fourcc.calibration.named_mixes import NamedMix

SIZE = (8.0, 5.0)  # inches
FONT = 7.0  # points
LETTER, LINE = 0.62 * FONT, 1.25 * FONT  # width of a letter, height of a line, in points; both a little large
LINE_COLOUR, CHOSEN_COLOUR = KINDS[0], KINDS[1]
MARKERS = {"uniform": ("o", KINDS[5], "one format"), "recipe": ("D", KINDS[3], "recipe")}
LEAST_SHARE = (
    1e-3  # of the largest divergence: points below are left out, or an option without loss would stretch the axis
)

Box = tuple[float, float, float, float]  # left, bottom, right, top in points


def draw_frontier(
    figure: Figure,
    points: Sequence[FrontierPoint],
    named: Sequence[NamedMix],
    weights: int,
    other_bytes: int,
    chosen: tuple[int, float] | None = None,
) -> None:
    """Draws a frontier, uniform mixes and recipes.

    Args:
        figure: a new figure.
        points: of the frontier.
        named: the mixes that have names.
        weights: number of weights of all tensors.
        other_bytes: bytes of the tensors that are in no unit.
        chosen: bytes of all tensors, and KL divergence, of the mix that was allocated.

    Raises:
        UsageError: no point has a divergence.
    """
    figure.set_size_inches(*SIZE)
    panel = figure.subplots()
    panel.set_yscale("log")
    largest = max((point.kld for point in points), default=0.0)
    if not largest:
        raise UsageError("there is nothing to draw", hint="No option of the costs has a KL divergence above 0.")
    shown = [(point.nbytes / 1e6, point.kld) for point in points if point.kld >= LEAST_SHARE * largest]
    panel.plot(*zip(*shown, strict=True), "-", color=LINE_COLOUR, lw=1.2, label="allocated")
    panel.plot(*zip(*shown, strict=True), ".", color=LINE_COLOUR, ms=3)
    spots = []
    for kind, (marker, colour, label) in MARKERS.items():
        some = [(mix, (mix.allocation.nbytes + other_bytes) / 1e6) for mix in named if mix.kind == kind]
        some = [(mix, place) for mix, place in some if mix.allocation.kld >= LEAST_SHARE * largest]
        places = [place for _, place in some], [mix.allocation.kld for mix, _ in some]
        panel.plot(*places, marker, color=colour, ms=4, ls="none", label=label)
        spots += [(mix.name, place, mix.allocation.kld, colour) for mix, place in some]
    if chosen is not None and chosen[1] > 0:
        panel.plot([chosen[0] / 1e6], [chosen[1]], "*", color=CHOSEN_COLOUR, ms=9, ls="none", label="this budget")
    panel.set_xlabel("bytes of all tensors (MB)")
    panel.set_ylabel("predicted KL divergence (nats a token)")
    panel.margins(x=0.06)
    per_bit = max(1, weights) / 8e6
    bits = panel.secondary_xaxis("top", functions=(partial(mul, 1 / per_bit), partial(mul, per_bit)))
    bits.set_xlabel("bits per weight")
    panel.legend(loc="lower left")
    _label(figure, panel, spots, shown)


def _label(
    figure: Figure, panel: Axes, spots: Sequence[tuple[str, float, float, str]], line: Sequence[tuple[float, float]]
) -> None:
    """Writes names beside their marks, (name, x, y, colour), where they cover no mark, other name or point of the line.

    A name for which there is no room is left out.
    """
    figure.draw_without_rendering()  # so that the panel has its place
    scale = 72 / figure.dpi
    pixels = panel.transData.transform([*((x, y) for _, x, y, _ in spots), *line])
    at = [(float(x) * scale, float(y) * scale) for x, y in pixels]
    left, bottom, right, top = (edge * scale for edge in panel.bbox.extents)
    taken: list[Box] = [(x - 3, y - 3, x + 3, y + 3) for x, y in at]
    for (name, x, y, colour), (px, py) in sorted(zip(spots, at, strict=False), key=lambda each: each[1]):
        for dx, dy in _offsets(len(name) * LETTER):
            box = (px + dx, py + dy - LINE / 2, px + dx + len(name) * LETTER, py + dy + LINE / 2)
            inside = left <= box[0] and box[2] <= right and bottom <= box[1] and box[3] <= top
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                arrow = {"arrowstyle": "-", "lw": 0.4, "color": colour, "shrinkA": 0, "shrinkB": 2}
                panel.annotate(
                    name,
                    (x, y),
                    (dx, dy),
                    textcoords="offset points",
                    va="center",
                    fontsize=FONT,
                    color=colour,
                    arrowprops=arrow if max(abs(dx), abs(dy)) > 10 + len(name) * LETTER * (dx < 0) else None,
                )
                break


def _offsets(width: float) -> Iterator[tuple[float, float]]:
    """Places for the left middle of a name, seen from its mark: right and left of it, then further up and down."""
    for far in range(16):
        heights = (far * LINE, -far * LINE) if far else (0.0,)
        yield from product((5.0 + 2 * far, -width - 5.0 - 2 * far), heights)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
