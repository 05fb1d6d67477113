"""The formats that the site shows: those that are registered, by kind and bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import attrs

from fourcc.format import Format
from fourcc.plugins.entries import Entry
from fourcc.plugins.registry import registry

DOCS = Path(__file__).resolve().parents[1]


@attrs.frozen
class Shown:
    """A format.

    Attributes:
        fmt: the format.
        entry: who provides it.
        page: address of its page; None: it has none, as a plugin's.
    """

    fmt: Format
    entry: Entry
    page: str | None

    @property
    def tag(self) -> str:
        """Its tag."""
        return str(self.fmt.tag)

    @property
    def bits(self) -> float:
        """Bits per weight, nominal."""
        return float(self.fmt.bits_per_weight())

    @property
    def plain(self) -> bool:
        """Whether it stores single numbers, without blocks."""
        return self.fmt.block == (1, 1)


@attrs.frozen
class Group:
    """Formats of a kind.

    Attributes:
        kind: one word, for filters.
        title: for people.
        formats: by bits, then by tag.
    """

    kind: str
    title: str
    formats: tuple[Shown, ...]


KINDS: tuple[tuple[str, str, Callable[[Shown], bool]], ...] = (
    ("integers", "Integers", lambda shown: not shown.fmt.real),
    ("floats", "Floats", lambda shown: shown.plain),
    ("below-4", "Below 4 bits", lambda shown: shown.bits < 4),
    ("4-to-5", "4 to 5 bits", lambda shown: shown.bits <= 5),
    ("5-to-7", "More than 5 bits", lambda shown: shown.bits < 8),
    ("8", "8 bits and more", lambda shown: shown.bits >= 8),
)
ORDER = ("below-4", "4-to-5", "5-to-7", "8", "floats", "integers")  # as they are shown


@cache
def shown() -> tuple[Shown, ...]:
    """Every registered format that works, by bits."""
    pages = {path.stem: path.name for path in DOCS.glob("*.md")}
    found = [Shown(fmt, entry, _page(entry, pages)) for fmt, entry in registry.working()]
    return tuple(sorted(found, key=lambda each: (each.bits, each.tag)))


def _page(entry: Entry, pages: dict[str, str]) -> str | None:
    """The page with the stem of the format's module, of fourcc's own formats."""
    module = entry.target.partition(":")[0]
    return pages.get(module.rpartition(".")[2]) if module.startswith("fourcc.formats.") else None


def groups() -> list[Group]:
    """The formats by kind."""
    by_kind: dict[str, list[Shown]] = {}
    for each in shown():
        by_kind.setdefault(next(kind for kind, _, fits in KINDS if fits(each)), []).append(each)
    titles = {kind: title for kind, title, _ in KINDS}
    return [Group(kind, titles[kind], tuple(by_kind[kind])) for kind in ORDER if kind in by_kind]
