"""The picture of a shootout: every compared format by its bits and its error, and those that no other beats."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.analysis.plotting import titled
from fourcc.analysis.plotting_formats import WIDTH, FormatPoint, draw_points
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fourcc.bench.shootout.results import Entrant, ShootoutResult


def draw_shootout(figure: Figure, result: ShootoutResult, model: str | Path = "", *, width: float = WIDTH) -> None:
    """Draws compared formats that lose something: bits per weight, and dB of signal over error.

    Those that no other beats are joined by a line; a ring marks those that none beats once speed counts.

    Args:
        figure: a new one.
        result: of the shootout.
        model: its name, or its file.
        width: of the picture, in inches.

    Raises:
        UsageError: no format loses anything on these weights.
    """
    lossy = [each for each in result.entrants if each.compared and isfinite(decibels(each))]
    if not lossy:
        raise UsageError("there is nothing to draw", hint="No format loses anything on these weights.")
    points = [
        FormatPoint(each.tag, float(each.bits), decibels(each), on_front=each.on_front, ringed=each.on_speed_front)
        for each in lossy
    ]
    known = lossy[0].output_error is not None
    draw_points(
        figure,
        points,
        titled(model, "formats by size and error"),
        f"Formats tried on {result.tensors} tensors: signal over error of the {'outputs' if known else 'weights'}",
        "signal / error of the outputs (dB)" if known else "SQNR (dB)",
        width=width,
        ring="none is smaller, better and faster",
    )


def decibels(entrant: Entrant) -> float:
    """The height of a format in the picture: of outputs where their error is known, else of weights."""
    return entrant.sqnr_db if entrant.output_db is None else entrant.output_db
