"""The picture of a frontier: KL divergence against bytes, with the mixes that have names beside it."""

from __future__ import annotations

from functools import partial
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.analysis.plotting import GREY, KINDS, headed, legend_below, titled
from fourcc.analysis.plotting_names import Spot, place_names
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fourcc.calibration.fitting import FittedMix
    from fourcc.calibration.named_mixes import Kind

WIDTH = 8.0  # inches
LINE_COLOUR, CHOSEN_COLOUR = KINDS[0], KINDS[1]
MARKERS: dict[Kind, tuple[str, str, str]] = {
    "uniform": ("s", GREY, "single format"),
    "recipe": ("D", KINDS[2], "recipe"),
}
LEAST_SHARE = (
    1e-3  # of the largest divergence: points below are left out, or an option without loss would stretch the axis
)


def draw_frontier(figure: Figure, mix: FittedMix, model: str | Path = "", *, width: float = WIDTH) -> None:
    """Draws the frontier, the mix that was allocated, uniform mixes and recipes.

    Args:
        figure: a new one.
        mix: with the frontier's points.
        model: its name, or its file.
        width: of the picture, in inches.

    Raises:
        UsageError: no point has a divergence.
    """
    least = LEAST_SHARE * max(point.kld for point in mix.points)
    line = [(point.nbytes / 1e6, point.kld) for point in mix.points if point.kld >= least > 0]
    if not line:
        raise UsageError("there is nothing to draw", hint="No option of the costs has a KL divergence above 0.")
    figure.set_size_inches(width, min(7, max(3, 0.6 * width)))
    panel = figure.subplots()
    _scales(panel, mix.plan.weights)
    entries: list[tuple[Artist, str]] = []
    (drawn,) = panel.plot(*zip(*line, strict=True), ".-", color=LINE_COLOUR, lw=1.2, ms=3)
    entries.append((drawn, "best mixes"))
    spots = [spot for kind in MARKERS for spot in _mark(panel, kind, mix, least, entries)]
    if mix.allocation.kld >= least:
        here = mix.plan.nbytes / 1e6, mix.allocation.kld
        (star,) = panel.plot(*([each] for each in here), "*", color=CHOSEN_COLOUR, ms=9, ls="none")
        entries.append((star, "this budget"))
        spots.append(Spot(mix.budget.text, *here, CHOSEN_COLOUR, first=True))
    legend_below(figure, entries)
    headed(
        figure,
        titled(model, "the best mix for each size"),
        "Predicted KL divergence from the original; below is better",
    )
    place_names(figure, panel, spots, [line], note="lower left")


def _scales(panel: Axes, weights: int) -> None:
    panel.set_yscale("log")
    panel.set_xlabel("bytes of all tensors (MB)")
    panel.set_ylabel("KL divergence (nats a token)")
    panel.margins(x=0.06, y=0.08)
    per_bit = max(1, weights) / 8e6
    bits = panel.secondary_xaxis("top", functions=(partial(mul, 1 / per_bit), partial(mul, per_bit)))
    bits.set_xlabel("bits per weight")


def _mark(panel: Axes, kind: Kind, mix: FittedMix, least: float, entries: list[tuple[Artist, str]]) -> list[Spot]:
    """Draws a mark for each named mix of a kind, and adds the kind to the legend; gives their names and places."""
    marker, colour, label = MARKERS[kind]
    some = [each for each in mix.named if each.kind == kind and each.allocation.kld >= least]
    spots = [
        Spot(each.name, (each.allocation.nbytes + mix.other_bytes) / 1e6, each.allocation.kld, colour) for each in some
    ]
    if spots:
        at = [spot.x for spot in spots], [spot.y for spot in spots]
        (drawn,) = panel.plot(*at, marker, color=colour, mfc="white", ms=4.5, ls="none")
        entries.append((drawn, label))
    return spots
