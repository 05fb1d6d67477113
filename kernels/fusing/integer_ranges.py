"""Ranges of the integers of a block decoder, so that the tracer refuses one that 32 bits would cut.

The kernel computes 32 bits of an integer. The lowest 32 bits of a sum, a product, a left shift or a bitwise operation
depend only on the lowest 32 bits of its operands. A right shift, a conversion to float and an index need the whole
number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

Range = tuple[int, int]  # least and largest, both included

INT32: Range = (-(1 << 31), (1 << 31) - 1)
UINT32: Range = (0, (1 << 32) - 1)
INT64: Range = (-(1 << 63), (1 << 63) - 1)  # what numpy computes
INT128: Range = (-(1 << 127), (1 << 127) - 1)


def lies_within(inner: Range, outer: Range) -> bool:
    """Whether one range lies in another."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def integer_kind(bounds: Range) -> str:
    """How 32 bits hold the numbers of a range: as ``int``, as ``uint``, or only their lowest bits, as ``low``."""
    return "int" if lies_within(bounds, INT32) else "uint" if lies_within(bounds, UINT32) else "low"


def in_words(bounds: Range) -> str:
    """A range as messages write it."""
    return f"{bounds[0]} .. {bounds[1]}" if bounds[0] != bounds[1] else str(bounds[0])


def _of_corners(function: Callable[[int, int], int]) -> Callable[[Range, Range], Range]:
    """The range of a function that is monotonic in each argument."""

    def bounds(x: Range, y: Range) -> Range:
        corners = [function(a, b) for a in x for b in y]
        return min(corners), max(corners)

    return bounds


def _of_and(x: Range, y: Range) -> Range:
    """At most a non-negative operand; else at least minus the power of two that bounds both negative operands."""
    unsigned = [high for low, high in (x, y) if low >= 0]
    if unsigned:
        return 0, min(unsigned)
    return -(1 << max((~x[0]).bit_length(), (~y[0]).bit_length())), max(x[1], y[1])


def _of_or(x: Range, y: Range) -> Range:
    low, high = _of_and((~x[1], ~x[0]), (~y[1], ~y[0]))
    return ~high, ~low


def _of_xor(x: Range, y: Range) -> Range:
    """All numbers with as many bits as the longer operand."""
    bits = max((~bound if bound < 0 else bound).bit_length() for bound in (*x, *y))
    return 0 if min(x[0], y[0]) >= 0 else -(1 << bits), (1 << bits) - 1


def _of_mod(x: Range, y: Range) -> Range:
    """The sign is the divisor's, the magnitude less than the divisor's, and no larger than the dividend's."""
    if y[0] > 0:
        return 0, min(y[1] - 1, x[1]) if x[0] >= 0 else y[1] - 1
    return max(y[0] + 1, x[0]) if x[1] <= 0 else y[0] + 1, 0


def union(x: Range, y: Range) -> Range:
    """The least range that holds both."""
    return min(x[0], y[0]), max(x[1], y[1])


# Operator -> function from the ranges of two operands to the range of the result.
RESULTS: dict[str, Callable[[Range, Range], Range]] = {
    "add": _of_corners(operator.add),
    "sub": _of_corners(operator.sub),
    "mul": _of_corners(operator.mul),
    "floordiv": _of_corners(operator.floordiv),  # the divisor's range excludes 0
    "mod": _of_mod,  # likewise
    "min": _of_corners(min),
    "max": _of_corners(max),
    "lshift": _of_corners(operator.lshift),
    "rshift": _of_corners(operator.rshift),
    "and": _of_and,
    "or": _of_or,
    "xor": _of_xor,
}
