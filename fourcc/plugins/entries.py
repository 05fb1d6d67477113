"""The entry-point group ``fourcc.formats``, read from the metadata of the installed packages; nothing is imported."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUP = "fourcc.formats"
OWN = "fourcc"  # the distribution that the reserved tags belong to


@attrs.frozen
class Entry:
    """A line of an entry-point group: a tag, and the package that declares it.

    Attributes:
        name: the entry point's name, which should be a tag.
        target: ``module:attribute``.
        distribution: name of the distribution.
        version: its version.
        load: imports and returns the format.
    """

    name: str
    target: str
    distribution: str
    version: str
    load: Callable[[], object] = attrs.field(eq=False, repr=False)

    @property
    def owner(self) -> str:
        """Distribution and version, for people."""
        return f"{self.distribution} {self.version}"


def installed_entries() -> Iterator[Entry]:
    """Entries of the installed distributions, read one by one, so a malformed one hides no other."""
    from importlib.metadata import distributions

    seen: set[str] = set()
    for distribution in distributions():
        try:
            name = normalized(distribution.name)
            points = [point for point in distribution.entry_points if point.group == GROUP]
            version = distribution.version
        except Exception:  # noqa: BLE001, S112 - another package's metadata may be damaged in any way; it is not ours
            continue
        if name in seen:  # the first on the path is the one that is imported
            continue
        seen.add(name)
        for point in points:
            yield Entry(point.name, point.value, name, version, point.load)


def normalized(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def allowed_by_environment() -> frozenset[str] | None:
    """The distributions that ``FOURCC_PLUGINS`` names; None where it is not set."""
    listed = os.environ.get("FOURCC_PLUGINS")
    if listed is None:
        return None
    return frozenset(normalized(name.strip()) for name in listed.split(",") if name.strip())
