"""Texts of help pages, fitted to a width: paragraphs, lines of two columns, and examples that can be pasted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from fourcc.cli.render.text_width import text_width, wrapped

WORD = r"""(?:[^\s"']|"[^"]*"|'[^']*')+"""  # of a command; what is quoted belongs to one word
PIECES = re.compile(rf"-\S* (?![-|&>]){WORD}|{WORD}")  # an option with its value, or a word
TWO_COLUMNS = re.compile(r"(\s*\S.*?\s{2,})(\S.*)")
TOGETHER, UNBROKEN = re.compile(r"\[[^\]]{,24}\]|`[^`]{,24}`"), "\0"
BACKSLASH, FURTHER = " \\", "    "
LEAST = 24  # columns that a second column needs


def paragraphs(text: str, width: int) -> Iterator[str]:
    """The lines of paragraphs, wrapped."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        yield from wrapped(" ".join(paragraph.split()), width)


def explanation(text: str, width: int) -> list[str]:
    """The lines of an option's explanation. A short default or command in it is not broken."""
    joined = TOGETHER.sub(lambda found: found[0].replace(" ", UNBROKEN), " ".join(text.split()))
    return [line.replace(UNBROKEN, " ") for line in wrapped(joined, width)]


def two_columns(line: str, width: int) -> Iterator[str]:
    """A line of a term and its explanation, which goes on below itself, or below the term where that is too narrow."""
    start, found = _indent(line), TWO_COLUMNS.fullmatch(line)
    if found is None or text_width(line) <= width:
        yield from (start + each for each in wrapped(line.strip(), width - len(start)))
        return
    term, text = found.groups()
    beside = width - len(term) >= LEAST
    blanks = " " * len(term) if beside else start + FURTHER
    first, *rest = wrapped(text, width - len(blanks))
    yield from (term + first,) if beside else (term.rstrip(), blanks + first)
    yield from (blanks + each for each in rest)


def commands(line: str, width: int) -> Iterator[str]:
    r"""A command, which goes on in the next line behind a backslash where it is too long.

    >>> for line in commands("  fourcc convert a.bin -o b.bin --format F16", 34):
    ...     print(line)
      fourcc convert a.bin -o b.bin \
          --format F16
    """
    start = _indent(line)
    if text_width(line) <= width:
        yield line
        return
    room = width - len(start + FURTHER + BACKSLASH)
    pieces = [[each] if text_width(each) <= room else re.findall(WORD, each) for each in PIECES.findall(line)]
    first, *others = chain.from_iterable(pieces)
    current = start + first
    for piece in others:
        if text_width(current) + 1 + text_width(piece) + len(BACKSLASH) > width:
            yield current + BACKSLASH
            current = start + FURTHER + piece
        else:
            current += f" {piece}"
    yield current


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
