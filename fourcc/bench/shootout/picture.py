"""The picture of a shootout: every compared format by its bits and its error, and those that no other beats."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from fourcc.analysis.plotting import KINDS, MARKERS
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fourcc.bench.shootout.results import Entrant, ShootoutResult

TICKS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)  # bits
IN_A_COLUMN = 24  # formats of the legend


def draw_shootout(figure: Figure, result: ShootoutResult) -> None:
    """Draws compared formats that lose something: bits per weight, and dB of signal over error.

    Those that no other beats are joined by a line and filled; a ring marks those that none beats once speed counts.
    """
    lossy = [each for each in result.entrants if each.compared and isfinite(decibels(each))]
    if not lossy:
        raise UsageError("there is nothing to draw", hint="No format loses anything on these weights.")
    figure.set_size_inches(9.5, 5)
    panel = figure.subplots()
    front = [each for each in lossy if each.on_front]
    panel.plot(*_places(front), color="#777777", lw=1, ls="--", label="none has fewer bits and less error", zorder=1)
    fast = [each for each in lossy if each.on_speed_front]
    if fast:
        label = "none is smaller, better and faster"
        panel.plot(*_places(fast), "o", ms=11, mfc="none", mec="#777777", ls="none", label=label)
    for number, each in enumerate(lossy):
        _point(panel, each, number)
    panel.set_xscale("log", base=2)  # most formats have 2 to 9 bits, plain floats 16
    panel.set_xticks(TICKS, list(map(str, TICKS)))
    panel.set_xlim(min(float(each.bits) for each in lossy) / 1.1, max(float(each.bits) for each in lossy) * 1.1)
    panel.set_xlabel("bits per weight")
    known = lossy[0].output_error is not None
    panel.set_ylabel("signal / error of the outputs (dB)" if known else "signal / error of the weights, SQNR (dB)")
    columns = -(-len(lossy) // IN_A_COLUMN)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper", ncols=columns)


def decibels(entrant: Entrant) -> float:
    """The height of a format in the picture: of outputs where their error is known, else of weights."""
    return entrant.sqnr_db if entrant.output_db is None else entrant.output_db


def _places(entrants: list[Entrant]) -> tuple[list[float], list[float]]:
    return [float(each.bits) for each in entrants], [decibels(each) for each in entrants]


def _point(panel: Axes, each: Entrant, number: int) -> None:
    colour, marker = KINDS[number % len(KINDS)], MARKERS[number // len(KINDS) % len(MARKERS)]
    label = f"{each.tag}  {float(each.bits):.3g} bits, {decibels(each):.1f} dB"
    inner = colour if each.on_front else "white"
    panel.plot(*_places([each]), marker, color=colour, mfc=inner, ms=6, label=label, ls="none")
