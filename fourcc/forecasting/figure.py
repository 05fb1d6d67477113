"""A figure of a forecast: a range, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs

Basis = Literal["calculated", "measured", "remembered", "table", "unknown"]
SMALL = 0.25  # of a sum
# From the surest to the least sure; a figure made of several is as sure as the least.
BASES: tuple[Basis, ...] = ("calculated", "measured", "remembered", "table", "unknown")


@attrs.frozen
class Figure:
    """A figure of a forecast.

    Attributes:
        low, middle, high: where it probably lies.
        basis: ``calculated`` from sizes; ``measured`` on this machine now; ``remembered`` of its earlier work;
            ``table``: measured on another machine and scaled; ``unknown``: nothing was measured of a part of it.
    """

    low: float
    middle: float
    high: float
    basis: Basis

    @classmethod
    def exact(cls, value: float) -> Figure:
        """A figure that follows from sizes."""
        return cls(value, value, value, "calculated")

    def __add__(self, other: Figure) -> Figure:
        """The sum. What is small beside the rest does not make the sum less sure, unless it is unknown."""
        larger, less = (self, other) if self.middle >= other.middle else (other, self)
        small = less.middle < SMALL * larger.middle and less.basis != "unknown"
        basis = larger.basis if small else least_sure((self.basis, other.basis))
        return Figure(self.low + other.low, self.middle + other.middle, self.high + other.high, basis)

    def __mul__(self, factor: float) -> Figure:
        return Figure(self.low * factor, self.middle * factor, self.high * factor, self.basis)

    def per(self, other: Figure) -> Figure:
        """This divided by another figure: the low end by its high end."""
        basis = least_sure((self.basis, other.basis))
        return Figure(self.low / other.high, self.middle / other.middle, self.high / other.low, basis)

    def at_least(self, other: Figure) -> Figure:
        """The larger of both, end by end."""
        basis = self.basis if self.middle >= other.middle else other.basis
        return Figure(max(self.low, other.low), max(self.middle, other.middle), max(self.high, other.high), basis)


def least_sure(bases: Iterable[Basis]) -> Basis:
    """The least sure of some bases."""
    return max(bases, key=BASES.index, default="calculated")
