"""Conditions on a tensor's shape, as text: ``">=2"``, ``"%256"``, ``"<4096, %32"``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

import attrs

_TEST = re.compile(r"(>=|<=|>|<|=|%) *([0-9]{1,20})")
_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "%": lambda value, divisor: value % divisor == 0,
}


@attrs.frozen
class Condition:
    """Tests of one number, all of which must hold.

    Attributes:
        tests: (operator, number); ``%`` asks for a multiple.
    """

    tests: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """The condition that a text spells.

        Raises:
            ValueError: the text spells no condition.
        """
        return cls(tuple(_test(part.strip()) for part in text.split(",")))

    def match(self, value: int) -> bool:
        """Whether the number passes every test."""
        return all(_OPERATORS[sign](value, number) for sign, number in self.tests)


def _test(text: str) -> tuple[str, int]:
    match = _TEST.fullmatch(text)
    if match is None:
        raise ValueError(f"found {text!r}, expected one of {' '.join(_OPERATORS)} before a number, such as '>=2'")
    sign, number = match[1], int(match[2])
    if sign == "%" and number == 0:
        raise ValueError(f"found {text!r}, which divides by zero")
    return sign, number
