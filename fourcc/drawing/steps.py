"""Classes of a measure: which of a scale's colours a value gets, and the legend's words for each."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import ceil, exp, floor, isfinite, log, log10

import attrs

from fourcc.drawing.markup import number
from fourcc.drawing.palette import STEPS

DIGITS = 3  # of a value in the map and in its legend


@attrs.frozen
class Classes:
    """Classes of values, ascending.

    Attributes:
        edges: the lower ends of all classes but the first.
        words: of each class, for the legend.
    """

    edges: tuple[float, ...]
    words: tuple[str, ...]

    def of(self, value: float) -> int:
        """The class of a value, from 0."""
        return sum(value >= edge for edge in self.edges)

    def step(self, place: int, *, falling: bool = False) -> int:
        """The colour of a class on a scale of `STEPS`; `falling`: the smallest values are the strongest."""
        last = len(self.words) - 1
        step = round(place * (STEPS - 1) / last) if last else STEPS // 2
        return STEPS - 1 - step if falling else step


def classes(values: Iterable[float], *, ratio: bool = False, least: float = 0.0) -> Classes:
    """Classes for these values: one a value where there are few, else ranges between round numbers.

    Args:
        values: of the measure.
        ratio: whether a ratio tells how far two values are apart, not a difference; zeros go to the first class.
        least: the narrowest range, as a difference.
    """
    finite = sorted({float(number(value, DIGITS).replace(",", "")) for value in values if isfinite(value)})
    if len(finite) <= STEPS:
        return Classes(
            tuple((low + high) / 2 for low, high in pairwise(finite)),
            tuple(number(value, DIGITS) for value in finite) or ("none",),
        )
    low, high = (next((value for value in finite if value > 0), 0.0) if ratio else finite[0]), finite[-1]
    edges = _ratios(low, high) if ratio and low > 0 else _even(low, high, least)
    return Classes(edges, _words(edges))


def _even(low: float, high: float, least: float) -> tuple[float, ...]:
    """Multiples of the smallest of 1, 2, 2.5 and 5 times a power of ten that needs few of them."""
    wanted = max((high - low) / (STEPS - 1), least)
    power = 10.0 ** floor(log10(wanted))
    width = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= wanted * (1 - 1e-9))
    first = floor(low / width) + 1
    return tuple(place * width for place in range(first, min(first + STEPS - 1, ceil(high / width))))


def _ratios(low: float, high: float) -> tuple[float, ...]:
    step = log(high / low) / STEPS
    return tuple(float(f"{low * exp(step * place):.2g}") for place in range(1, STEPS))


def _words(edges: tuple[float, ...]) -> tuple[str, ...]:
    shown = [number(edge, DIGITS) for edge in edges]
    if not shown:
        return ("all",)
    return (f"below {shown[0]}", *(f"{a} to {b}" for a, b in pairwise(shown)), f"{shown[-1]} on")
