"""Lengths in bytes as people write them, and limits: ``"2.4 MB"``, ``"<= 4.0"``, ``">= 2 MiB, <= 2419000"``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

import attrs

from fourcc.errors import UsageError

BYTES = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
"""The units of a length, in lower case; those with an i are powers of 1024."""

PLAIN = {"": 1}
"""The units of a bare number."""

_AMOUNT = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) *([A-Za-z]*)")
_TEST = re.compile(r"(<=|>=|<|>|=) *(.*)")
_OPERATORS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}


def amount(text: str, units: Mapping[str, int] = BYTES) -> Fraction:
    """The number that a text spells, exactly.

    >>> amount("2.4 MB"), amount("4.25", PLAIN)
    (Fraction(2400000, 1), Fraction(17, 4))

    Raises:
        ValueError: the text spells no number, or has another unit.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or match[2].lower() not in units:
        example = "2.4 MB, 2400 kB, 2 MiB or 2400000" if units is BYTES else "4.25"
        raise ValueError(f"found {text!r}, expected a number such as {example}")
    return Fraction(match[1]) * units[match[2].lower()]


def memory_cap(given: int | str | None, name: str = "memory") -> int | None:
    """The bytes of a cap on memory, a number or spelled as ``"2GB"``; None where there is none.

    Args:
        given: the cap.
        name: of the argument, for messages.

    Raises:
        UsageError: it spells no amount, or less than a byte.
    """
    if given is None:
        return None
    try:
        number = int(amount(given) if isinstance(given, str) else given)
    except ValueError as error:
        raise UsageError(f"bad value of {name}", found=repr(given), expected="2GB, 500MB, 2GiB") from error
    if number < 1:
        raise UsageError(f"bad value of {name}", found=given, expected="at least a byte")
    return number


@attrs.frozen
class Comparison:
    """Comparisons of a number, all of which must hold.

    Attributes:
        text: as written.
        tests: (sign, number).
    """

    text: str
    tests: tuple[tuple[str, Fraction], ...]

    @classmethod
    def parse(cls, text: str, units: Mapping[str, int]) -> Comparison:
        """The limit that a text spells. Raises ValueError where it spells none."""
        return cls(text, tuple(_test(part.strip(), units) for part in text.split(",")))

    def holds(self, value: Fraction) -> bool:
        """Whether the number passes every comparison."""
        return all(_OPERATORS[sign](value, number) for sign, number in self.tests)


def _test(text: str, units: Mapping[str, int]) -> tuple[str, Fraction]:
    match = _TEST.fullmatch(text)
    if match is None:
        example = "<= 2.4 MB" if units is BYTES else "<= 4.0"
        raise ValueError(f"found {text!r}, expected one of {' '.join(_OPERATORS)} before a number, such as '{example}'")
    return match[1], amount(match[2], units)
