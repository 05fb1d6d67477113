"""The entry-point groups of plugins, read from the metadata of the installed packages; nothing is imported.

A group's name ends with the version of the seam that its plugins are written for. A package may declare the same plugin
for several versions: it is then used in this one.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from fourcc import installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import Distribution, EntryPoint

SEAM = 1  # version of what plugins are given, and give back
OWN = installation.OWN  # the distribution that the reserved tags belong to
FORMATS, SOURCES, EXPORTERS = (f"fourcc.{kind}.{SEAM}" for kind in ("formats", "sources", "exporters"))


@attrs.frozen
class Entry:
    """A line of an entry-point group: the name of a plugin, and the package that declares it.

    Attributes:
        name: the entry point's name; that of a format should be its tag.
        target: ``module:attribute``.
        distribution: name of the distribution.
        version: its version.
        load: imports and returns the plugin.
        group: the entry-point group.
    """

    name: str
    target: str
    distribution: str
    version: str
    load: Callable[[], object] = attrs.field(eq=False, repr=False)
    group: str = FORMATS

    @property
    def owner(self) -> str:
        """Distribution and version, for people."""
        return f"{self.distribution} {self.version}"

    @property
    def misfit(self) -> str | None:
        """Why a plugin of this group cannot be used here, and what to upgrade; None where the group is of this seam."""
        kind, _, version = self.group.removeprefix("fourcc.").partition(".")
        if version == str(SEAM):
            return None
        if not (version.isascii() and version.isdigit()):
            here = f"this fourcc has fourcc.{kind}.{SEAM}"
            return (
                f"its entry-point group {self.group} names no version of the seam, {here}; upgrade {self.distribution}"
            )
        behind = OWN if int(version) > SEAM else self.distribution
        return f"made for version {int(version)} of the seam, this fourcc has {SEAM}; upgrade {behind}"


def installed_entries(group: str = FORMATS) -> Iterator[Entry]:
    """Entries of the installed distributions, read one by one, so a malformed one hides no other.

    Args:
        group: their group; entries for other versions of the seam come, too, unless the package has one for this.
    """
    stem = group.rpartition(".")[0]
    for name, version, points in _distributions(tuple(sys.path)):
        kin = [each for each in points if each.group == stem or each.group.startswith(f"{stem}.")]
        names = {each.name for each in kin if each.group == group}
        for point in kin:
            if point.group == group or point.name not in names:
                yield Entry(point.name, point.value, name, version, point.load, point.group)


@lru_cache(maxsize=1)
def _distributions(path: tuple[str, ...]) -> list[tuple[str, str, list[EntryPoint]]]:  # noqa: ARG001 - what is read
    """Name, version and entry points for fourcc of the distributions on `sys.path` that have such."""
    from importlib.metadata import distributions

    found: dict[str, tuple[str, str, list[EntryPoint]]] = {}
    passed: list[Distribution] = []  # without such entry points
    for distribution in distributions():
        try:
            points = [each for each in distribution.entry_points if each.group.startswith(f"{OWN}.")]
            if not points:
                passed.append(distribution)
                continue
            name, version = normalized(distribution.name), distribution.version
        except Exception:  # noqa: BLE001, S112 - another package's metadata may be damaged in any way; it is not ours
            continue
        if name not in found and not _hides(passed, distribution):
            found[name] = name, version, points
    if OWN not in found and (declared := _declared_by_checkout()):
        from fourcc import __version__

        found[OWN] = OWN, __version__, declared
    return list(found.values())


def _hides(passed: list[Distribution], distribution: Distribution) -> bool:
    """Whether one of the same name comes before on the path: the first is the one that is imported.

    Those of the same folder are not asked: names stand beside whole descriptions, and to read all takes a tenth of a
    second.
    """
    folder = distribution.locate_file("")
    before = (each for each in passed if each.locate_file("") != folder)
    return any(_named(each) == normalized(distribution.name) for each in before)


def _named(distribution: Distribution) -> str | None:
    """The name as indexes compare it; None where the metadata are damaged."""
    try:
        return normalized(distribution.name)
    except Exception:  # noqa: BLE001 - as above
        return None


def _declared_by_checkout() -> list[EntryPoint]:
    """The entry points in the pyproject.toml beside the package: a checkout needs no installation to be tried."""
    from importlib.metadata import EntryPoint

    groups = installation.checkout().get("entry-points", {}).items()
    return [EntryPoint(name, value, group) for group, points in groups for name, value in points.items()]


def normalized(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def allowed_by_environment() -> frozenset[str] | None:
    """The distributions that ``FOURCC_PLUGINS`` names; None where it is not set."""
    listed = os.environ.get("FOURCC_PLUGINS")
    if listed is None:
        return None
    return frozenset(normalized(name.strip()) for name in listed.split(",") if name.strip())
