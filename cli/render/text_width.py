"""Columns that texts take on a terminal, and texts fitted into them. No text is ever cut."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category, east_asian_width

UNSEEN = frozenset({"Mn", "Me"})  # marks that are drawn over the character before them


def text_width(text: str) -> int:
    r"""Columns that a text takes on a terminal: two for a wide character, none for a combining mark.

    >>> text_width("wq"), text_width("重み"), text_width("e\u0301")
    (2, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if category(char) in UNSEEN:
        return 0
    return 2 if east_asian_width(char) in {"W", "F"} else 1


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, broken between words. A word that is longer than a line stays whole.

    >>> wrapped("of the loudest channel", 14)
    ['of the loudest', 'channel']
    """
    return list(_lines(text, width)) or [""]


def _lines(text: str, width: int) -> Iterator[str]:
    if text_width(text) <= width:
        yield text
        return
    line, size = "", 0  # the line that is being filled, and the columns that it takes
    for word in text.split(" "):
        more = text_width(word)
        if size and size + 1 + more > width:
            yield line.rstrip()
            line, size = word, more
        else:
            line, size = (f"{line} {word}", size + 1 + more) if size else (word, more)
    yield line


def longest_word(text: str) -> int:
    """Columns of the longest word: a text takes at least as many, however it is wrapped."""
    return max(map(text_width, text.split(" ")))
