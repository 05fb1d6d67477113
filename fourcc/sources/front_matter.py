"""The front matter of a model card: the part of YAML that cards of the Hugging Face hub are written in.

::

    ---
    license: apache-2.0                 a text; quotes and a comment after it are taken off
    language: [en, fr]                  a list, or one entry a line:
    tags:
    - chat
    model-index: ...                    maps, and lists of maps: passed over, the hub alone reads them
    ---
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

FENCE = "---"
_KEY = re.compile(r"([A-Za-z_][\w.-]*)\s*:(?:\s+(.*))?")
_MAP = re.compile(r"[\w.\"'-]+\s*:(?:\s|$)")
_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_FOLDED = ("|", ">")


def front_matter(text: str) -> dict[str, str | list[str]]:
    """The keys of a card's front matter that hold a text, or a list of texts; {} where a card has none.

    Raises:
        ValueError: a line is no YAML of this kind; the message has its number.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != FENCE:
        return {}
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() == FENCE), len(lines))
    values: dict[str, str | list[str]] = {}
    for key, first, more in _entries(lines[1:end]):
        value = _value(first, more)
        if value is not None and value != []:
            values[key] = value
    return values


def _entries(lines: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Key, text behind it, and the lines that belong to it."""
    found: tuple[str, str, list[str]] | None = None
    for number, line in enumerate(lines, 2):
        match = _KEY.fullmatch(line.rstrip())
        if match is not None:
            if found is not None:
                yield found
            found = (match[1], (match[2] or "").strip(), [])
        elif not line.strip() or line.startswith("#"):
            continue
        elif found is None or not line.startswith((" ", "\t", "-", "]")):
            raise ValueError(f"line {number} is no key and belongs to none: {line.strip():.40}")
        else:
            found[2].append(line)
    if found is not None:
        yield found


def _value(first: str, more: list[str]) -> str | list[str] | None:
    """A text, or a list of texts; None for anything else, and for nothing."""
    if first.startswith(_FOLDED):
        return ("\n" if first[0] == "|" else " ").join(line.strip() for line in more)
    if first.startswith("["):
        return _inline(" ".join([first, *(line.strip() for line in more)]))
    if first.startswith(("{", "&", "*", "!")):
        return None
    if first and not first.startswith("#"):
        return _scalar(" ".join([first, *(line.strip() for line in more)]))
    items = [line.strip() for line in more]
    if any(not item.startswith("-") or _MAP.match(item[1:].strip()) for item in items):
        return None
    return [each for item in items if (each := _scalar(item[1:].strip())) is not None]


def _inline(text: str) -> list[str] | None:
    """The texts of ``[a, 'b']``; None where lists are nested, or quoted texts hold commas."""
    body, closed, _ = text[1:].partition("]")
    if not closed or "[" in body or "{" in body:
        return None
    return [each for item in body.split(",") if (each := _scalar(item.strip())) is not None]


def _scalar(text: str) -> str | None:
    """A text without quotes and comment; None for null."""
    if text.startswith('"'):
        try:
            value = json.JSONDecoder().raw_decode(text)[0]
        except ValueError:
            return text.strip('"')
        return str(value)
    if text.startswith("'"):
        body = re.match(r"'((?:[^']|'')*)'", text)
        return text.strip("'") if body is None else body[1].replace("''", "'")
    plain = re.split(r"\s#", text, maxsplit=1)[0].strip()
    return None if plain in _EMPTY else plain
