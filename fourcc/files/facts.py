"""Named facts that results depend on, as JSON has them: which of them differ from those of another run.

The facts are a tree of mappings. A message names each leaf that differs by its path: ``source model.gguf bytes``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

SHOWN_FACTS = 4  # in a message
LONGEST_VALUE = 100  # characters of a value in a message
ABSENT = "nothing"  # stands in a message for a fact that one side lacks

Facts = Mapping[str, Any]


class FactDifference(NamedTuple):
    """A fact that differs.

    Attributes:
        name: the path to it, its names separated by spaces.
        found: its value there, as text.
        expected: its value here, as text.
    """

    name: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.name} is {self.found}, not {self.expected}"


def as_json(facts: Facts) -> dict[str, Any]:
    """The facts as they come back from JSON: tuples are lists, and what JSON does not have is its text."""
    read: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return read


def differences(found: Facts, expected: Facts) -> list[FactDifference]:
    """Each fact that differs, in the order of `expected`; those that it lacks come last.

    >>> [str(each) for each in differences({"a": {"b": 1}}, {"a": {"b": 2}})]
    ['a b is 1, not 2']
    """
    return list(_differing(as_json(found), as_json(expected), ""))


def listed_differences(some: Iterable[FactDifference]) -> str:
    """Differences as a message lists them: the first ones, and how many more there are."""
    texts = [str(each) for each in some]
    more = f"; and {len(texts) - SHOWN_FACTS} more" if len(texts) > SHOWN_FACTS else ""
    return "; ".join(texts[:SHOWN_FACTS]) + more


def _differing(found: Facts, expected: Facts, path: str) -> Iterator[FactDifference]:
    for name in (*expected, *(name for name in found if name not in expected)):
        here = f"{path} {name}".lstrip()
        if name not in found or name not in expected:
            yield FactDifference(here, *(_text(side[name]) if name in side else ABSENT for side in (found, expected)))
        elif isinstance(found[name], dict) and isinstance(expected[name], dict):
            yield from _differing(found[name], expected[name], here)
        elif found[name] != expected[name]:
            yield _of_values(here, found[name], expected[name])


def _of_values(name: str, found: object, expected: object) -> FactDifference:
    """The difference of two values; of two texts of several lines, that of the first line that differs."""
    if isinstance(found, str) and isinstance(expected, str) and "\n" in found + expected:
        one, other = found.splitlines(), expected.splitlines()
        pairs = zip(one, other, strict=False)
        at = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
        lines = (_text(side[at]) if at < len(side) else ABSENT for side in (one, other))
        return FactDifference(f"{name} line {at + 1}", *lines)
    return FactDifference(name, _text(found), _text(expected))


def _text(value: object) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
