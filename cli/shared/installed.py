"""The plugins that are installed: the formats that work, and whatever does not, with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fourcc.errors import DuplicateTagError

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.plugins.entries import Entry


@attrs.frozen
class Trouble:
    """A plugin that cannot be used."""

    name: str
    kind: str
    owner: str
    reason: str


def broken_files() -> list[Trouble]:
    """The plugins for files that cannot be used."""
    from fourcc import exporters, sources

    plugged = {"source": sources.PLUGGED.broken(), "exporter": exporters.PLUGGED.broken()}
    return [
        Trouble(each.entry.name, kind, each.entry.owner, each.reason) for kind, ones in plugged.items() for each in ones
    ]


def survey() -> tuple[list[tuple[Format, Entry]], list[Trouble]]:
    """The formats that work, and those that do not. A broken plugin hides no other."""
    from fourcc.plugins.registry import registry

    working = list(registry.working())
    troubles = [Trouble(each.entry.name, "format", each.entry.owner, each.reason) for each in registry.broken()]
    for tag in registry:
        try:
            registry.entry(tag)
        except DuplicateTagError as error:
            troubles.append(Trouble(str(tag), "format", "several packages", error.what))
    return working, troubles
