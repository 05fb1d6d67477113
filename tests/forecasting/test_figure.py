"""Figures of forecasts, and how people read them."""

import doctest

import pytest

from fourcc.cli.render import ranges
from fourcc.cli.render.ranges import about, duration, token_rate
from fourcc.forecasting.figure import Figure, least_sure


def test_sums_quotients_and_the_larger() -> None:
    """End by end; what is made of several is as sure as the least sure."""
    one, two = Figure(1, 2, 4, "remembered"), Figure(2, 3, 4, "table")
    assert one + two == Figure(3, 5, 8, "table")
    assert two * 2 == Figure(4, 6, 8, "table")
    assert Figure.exact(12).per(one) == Figure(3, 6, 12, "remembered")
    assert one.at_least(Figure(2, 1, 1, "measured")) == Figure(2, 2, 4, "remembered")
    assert least_sure(()) == "calculated"
    assert least_sure(["measured", "unknown", "table"]) == "unknown"


@pytest.mark.parametrize(
    ("figure", "shown", "text"),
    [
        (Figure(540, 720, 960, "table"), duration, "about 12 min (9 to 16)"),
        (Figure(50, 80, 120, "table"), duration, "about 80 s (50 s to 2 min)"),
        (Figure(4000, 7000, 200_000, "table"), duration, "about 1.9 h (67 min to 2.3 days)"),
        (Figure(35, 40, 45, "table"), token_rate, "about 40 tokens/s (35 to 45)"),
        (Figure(0.2, 0.2, 0.2, "table"), duration, "1 s"),
        (Figure(0.1, 0.3, 1.4, "table"), duration, "about 1 s"),
    ],
)
def test_ranges_are_rounded(figure: Figure, shown: object, text: str) -> None:
    """One unit where both ends have the same."""
    assert about(figure, shown) == text  # type: ignore[arg-type]


def test_examples() -> None:
    """The docstrings' own."""
    assert doctest.testmod(ranges).failed == 0
