"""Ranges as people read them: rounded, with one unit where both ends have the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fourcc.cli.render import units

if TYPE_CHECKING:
    from fourcc.forecasting.figure import Figure

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """A rounded duration.

    >>> duration(0.4), duration(42), duration(400), duration(8000), duration(200000)
    ('1 s', '42 s', '7 min', '2.2 h', '2.3 days')
    """
    if seconds < 1.5 * MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 1.5 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    unit, name = (HOUR, "h") if seconds < 2 * DAY else (DAY, "days")
    return f"{two_digits(seconds / unit)} {name}"


def two_digits(value: float) -> str:
    """A number with two significant digits.

    >>> two_digits(0.6172), two_digits(9.96), two_digits(1234)
    ('0.62', '10', '1200')
    """
    rounded = float(f"{value:.2g}")
    return f"{rounded:.0f}" if rounded >= 10 else f"{rounded:g}"


def token_rate(value: float) -> str:
    """Tokens a second."""
    return f"{two_digits(value)} tokens/s"


def about(figure: Figure, shown: Callable[[float], str] = units.short_bytes) -> str:
    """A figure with its range, where that is one.

    >>> from fourcc.forecasting.figure import Figure
    >>> about(Figure(540, 720, 960, "table"), duration), about(Figure.exact(1.4e9))
    ('about 12 min (9 to 16)', '1.4 GB')
    """
    low, middle, high = map(shown, (figure.low, figure.middle, figure.high))
    if low == middle == high:
        return middle if figure.low == figure.high else f"about {middle}"
    number, _, unit = low.partition(" ")
    return f"about {middle} ({number if high.endswith(f' {unit}') else low} to {_bare(high, middle)})"


def _bare(text: str, beside: str) -> str:
    """A number without its unit, where what stands beside it has the same."""
    number, _, unit = text.partition(" ")
    return number if beside.endswith(f" {unit}") else text
