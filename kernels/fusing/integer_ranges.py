"""Between which bounds the integers of a block decoder lie, so that none is cut to 32 bits unseen.

Of each integer 32 bits are computed. Sums, products, shifts to the left and bitwise operations of the lowest 32 bits
give the lowest 32 bits, whatever lies above them; a shift to the right, a float and an index want the whole number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

Range = tuple[int, int]  # least and largest, both included

INT32: Range = (-(1 << 31), (1 << 31) - 1)
UINT32: Range = (0, (1 << 32) - 1)
INT128: Range = (-(1 << 127), (1 << 127) - 1)


def lies_within(inner: Range, outer: Range) -> bool:
    """Whether all numbers of a range are in another."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def kind_of(bounds: Range) -> str:
    """How 32 bits hold the numbers of a range: as ``int``, as ``uint``, or, as ``low``, only their lowest bits."""
    return "int" if lies_within(bounds, INT32) else "uint" if lies_within(bounds, UINT32) else "low"


def told(bounds: Range) -> str:
    """A range in words."""
    return f"{bounds[0]} .. {bounds[1]}" if bounds[0] != bounds[1] else str(bounds[0])


def _of_corners(function: Callable[[int, int], int]) -> Callable[[Range, Range], Range]:
    """The range of a function that rises, or falls, with each of its arguments."""

    def bounds(x: Range, y: Range) -> Range:
        corners = [function(a, b) for a in x for b in y]
        return min(corners), max(corners)

    return bounds


def _of_and(x: Range, y: Range) -> Range:
    """Neither more than a number that is not negative, nor less than the power of two below both."""
    unsigned = [high for low, high in (x, y) if low >= 0]
    if unsigned:
        return 0, min(unsigned)
    return -(1 << max((~x[0]).bit_length(), (~y[0]).bit_length())), max(x[1], y[1])


def _of_or(x: Range, y: Range) -> Range:
    low, high = _of_and((~x[1], ~x[0]), (~y[1], ~y[0]))
    return ~high, ~low


def _of_xor(x: Range, y: Range) -> Range:
    """As many bits as the longer one has."""
    bits = max((~bound if bound < 0 else bound).bit_length() for bound in (*x, *y))
    return 0 if min(x[0], y[0]) >= 0 else -(1 << bits), (1 << bits) - 1


# Operator -> the range of what it makes of integers of two ranges.
RESULTS: dict[str, Callable[[Range, Range], Range]] = {
    "add": _of_corners(operator.add),
    "sub": _of_corners(operator.sub),
    "mul": _of_corners(operator.mul),
    "lshift": _of_corners(operator.lshift),
    "rshift": _of_corners(operator.rshift),
    "and": _of_and,
    "or": _of_or,
    "xor": _of_xor,
}
