"""Styles of cells, by what they say: colours help the eye, and never say what the text does not."""

from __future__ import annotations

import re
from math import inf

NUMBER = re.compile(r"[+-]?(inf|\d+(\.\d*)?(e[+-]?\d+)?)")
BITS = ((3.5, "magenta"), (5.0, "yellow"), (7.0, "cyan"), (12.0, "green"))  # below so many bits a weight; above: none
DECIBELS = ((10.0, "red"), (20.0, "yellow"), (40.0, ""), (inf, "green"))
WORDS = {"failed": "red", "broken": "red", "noted": "yellow", "passed": "green", "equal": "green"}


def by_bits(cell: str) -> tuple[str, ...]:
    """Few bits a weight look warm, 8 bits green, floats as other text.

    >>> by_bits("4.5"), by_bits("8.25"), by_bits("16")
    (('yellow',), ('green',), ())
    """
    return _below(cell, BITS)


def by_decibels(cell: str) -> tuple[str, ...]:
    """A signal-to-noise ratio below 10 dB looks red, one from 40 dB on green.

    >>> by_decibels("7.1"), by_decibels("31"), by_decibels("inf"), by_decibels("-")
    (('red',), (), ('green',), ())
    """
    return _below(cell, DECIBELS)


def by_word(cell: str) -> tuple[str, ...]:
    """The style of a result, which its first word tells.

    >>> by_word("failed"), by_word("skipped: no kernel")
    (('red',), ())
    """
    style = WORDS.get(cell.partition(" ")[0].rstrip(":"), "")
    return (style,) if style else ()


def _below(cell: str, steps: tuple[tuple[float, str], ...]) -> tuple[str, ...]:
    if not NUMBER.fullmatch(cell):
        return ()
    style = next((name for bound, name in steps if float(cell) < bound or float(cell) == bound == inf), "")
    return (style,) if style else ()
