"""The names of a set's files: ``NAME-00001-of-00003.bin`` and ``NAME.index.json``."""

from __future__ import annotations

import re

import attrs

SUFFIX = ".bin"
LIST_SUFFIX = ".index.json"
_NUMBERED = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.bin", re.DOTALL)


@attrs.frozen
class NumberedName:
    """A shard's name, taken apart: the name of the set, the shard's number from 1, and their count."""

    stem: str
    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.stem}-{self.number:05}-of-{self.count:05}{SUFFIX}"

    @property
    def all(self) -> list[str]:
        """The names of all shards of the set."""
        return [str(attrs.evolve(self, number=number)) for number in range(1, self.count + 1)]


def numbered(name: str) -> NumberedName | None:
    """A shard's name, taken apart; None where it is no such name.

    >>> numbered("model-00002-of-00003.bin")
    NumberedName(stem='model', number=2, count=3)
    """
    match = _NUMBERED.fullmatch(name)
    if match is None or not 1 <= int(match[2]) <= int(match[3]):
        return None
    return NumberedName(match[1], int(match[2]), int(match[3]))


def list_name(stem: str) -> str:
    """The name of the file that lists a set's shards."""
    return stem + LIST_SUFFIX
