"""Texts that remember where each of their characters comes from, while a template works on them.

A chat template writes special tokens and the words of users into one text. Only tokens that the template itself has
written may become special ones, so each character has an origin, which goes through all that a template does to texts:
cutting, joining, trimming, replacing. An operation that is not followed here gives characters of unknown origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Self, SupportsIndex

GIVEN, OWN, UNKNOWN = 0, 1, 2  # origins: a user; the template, or a value that may hold special tokens; not known
_RUN = re.compile(rb"\x00+|\x01+|\x02+")


class Marked(str):
    """A text with an origin for each character; it acts as a plain text does.

    Names of its own begin with an underscore, so that a template in a sandbox does not reach them.

    Args:
        text: the characters.
        origin: a byte for each character, or one origin for all.
    """

    __slots__ = ("_origin",)
    _origin: bytes

    def __new__(cls, text: str, origin: bytes | int = UNKNOWN) -> Self:
        """The text, as the class says."""
        made = super().__new__(cls, plain(text))
        made._origin = bytes([origin]) * len(made) if isinstance(origin, int) else origin
        return made

    def __str__(self) -> str:
        return self  # `str(x)` is how Jinja's code and filters take a text

    def __add__(self, other: Any) -> Any:  # noqa: ANN401 - what is no text has sums of its own, or fails as with any text
        if hasattr(other, "__html__"):
            return NotImplemented
        return join("", [self, other]) if isinstance(other, str) else plain(self) + other

    def __radd__(self, other: Any) -> Any:  # noqa: ANN401 - likewise
        return join("", [other, self]) if isinstance(other, str) else other + plain(self)

    def __mul__(self, count: SupportsIndex) -> Marked:
        return Marked(plain(self) * count, self._origin * count)

    __rmul__ = __mul__

    def __mod__(self, values: Any) -> Marked:  # noqa: ANN401 - whatever is formatted
        return blend(plain(self) % values, self, values)

    def __rmod__(self, pattern: str) -> Marked:
        return blend(plain(pattern) % (plain(self),), pattern, self)

    def __getitem__(self, key: Any) -> Marked:  # noqa: ANN401 - an index or a slice
        kept = self._origin[key]
        return Marked(super().__getitem__(key), bytes([kept]) if isinstance(kept, int) else kept)

    def __iter__(self) -> Iterator[Marked]:
        return (self[at] for at in range(len(self)))

    def join(self, parts: Iterable[str]) -> Marked:
        """See `str`."""
        return join(self, list(parts))

    def lstrip(self, characters: str | None = None) -> Marked:
        """See `str`."""
        return self[len(self) - len(super().lstrip(characters)) :]

    def rstrip(self, characters: str | None = None) -> Marked:
        """See `str`."""
        return self[: len(super().rstrip(characters))]

    def strip(self, characters: str | None = None) -> Marked:
        """See `str`."""
        return self.lstrip(characters).rstrip(characters)

    def removeprefix(self, prefix: str) -> Marked:
        """See `str`."""
        return self[len(self) - len(super().removeprefix(prefix)) :]

    def removesuffix(self, suffix: str) -> Marked:
        """See `str`."""
        return self[: len(super().removesuffix(suffix))]

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[Any]:
        """See `str`."""
        return self._places(super().split(sep, maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[Any]:
        """See `str`."""
        return self._places(super().rsplit(sep, maxsplit), sep)

    def splitlines(self, keepends: bool = False) -> list[Any]:  # noqa: FBT001, FBT002 - as str's
        """See `str`."""
        lines = self._places(super().splitlines(keepends=True), "")
        kept = super().splitlines(keepends)
        return [line[: len(text)] for line, text in zip(lines, kept, strict=True)]

    def partition(self, sep: str) -> tuple[Marked, Marked, Marked]:
        """See `str`."""
        first, _, _ = self._places(list(super().partition(sep)), "")
        end = len(first) + len(sep) * (len(first) < len(self))
        return first, self[len(first) : end], self[end:]

    def rpartition(self, sep: str) -> tuple[Marked, Marked, Marked]:
        """See `str`."""
        first, middle, last = self._places(list(super().rpartition(sep)), "")
        return first, middle, last

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> Marked:
        """See `str`."""
        if old:
            return join(new, self.split(old, count))
        return blend(super().replace(old, new, count), self, new)

    def _places(self, parts: list[str], sep: str | None) -> list[Marked]:
        """Parts of this text, in their order, with their origins; None: white space lies between them."""
        found, at = [], 0
        for part in parts:
            start = self.find(part, at) if sep is None else at
            found.append(self[start : start + len(part)])
            at = start + len(part) + len(sep or "")
        return found


def _recased(name: str) -> Any:  # noqa: ANN401 - a method of `Marked`
    """A method that changes characters one by one, as far as its result has as many."""
    method = getattr(str, name)

    def recased(self: Marked) -> Marked:
        text = method(self)
        if len(text) == len(self):
            return Marked(text, origin_of(self))
        return blend(text, self)

    return recased


def _blended(name: str) -> Any:  # noqa: ANN401 - a method of `Marked`
    """A method that mixes a text with its arguments in a way that is not followed."""
    method = getattr(str, name)

    def blended(self: Marked, *values: Any) -> Marked:  # noqa: ANN401 - whatever the method takes
        return blend(method(self, *values), self, values)

    return blended


for _name in ("capitalize", "casefold", "lower", "swapcase", "title", "upper"):
    setattr(Marked, _name, _recased(_name))
for _name in ("center", "expandtabs", "ljust", "rjust", "translate", "zfill"):
    setattr(Marked, _name, _blended(_name))


def plain(text: str) -> str:
    """The characters alone."""
    return text if type(text) is str else str.__str__(text)


def origin_of(text: str) -> bytes:
    """The origin of each character; those of a plain text are not known."""
    return text._origin if isinstance(text, Marked) else bytes([UNKNOWN]) * len(text)  # noqa: SLF001 - of this module


def join(between: str, parts: list[Any]) -> Marked:
    """Texts in a row, with another one between each two of them.

    Raises:
        TypeError: one of them is no text.
    """
    text = plain(between).join(parts)
    return Marked(text, origin_of(between).join(map(origin_of, parts)))


def blend(text: str, *sources: object) -> Marked:
    """A text that comes from others, nobody knows which character from which: where all have one origin it has, too."""
    origins = {origin for source in sources for part in texts_in(source) for origin in origin_of(part)}
    return Marked(text, origins.pop() if len(origins) == 1 else UNKNOWN)


def texts_in(value: object) -> Iterator[str]:
    """The texts in a value of lists and maps, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts_in(key)
            yield from texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts_in(each)


def runs_of(origin: bytes) -> list[tuple[int, int]]:
    """Origins as runs: (origin, number of characters)."""
    return [(run[0][0], len(run[0])) for run in _RUN.finditer(origin)]


def from_runs(runs: Iterable[Iterable[int]]) -> bytes:
    """The inverse of `runs_of`."""
    return b"".join(bytes([kind]) * count for kind, count in runs)
