"""Formats for one test, and a registry that has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint

import pytest

from fourcc import registry as registries
from fourcc.format import Format
from fourcc.registry import Entry, Registry, installed_entries


def entry(name: str, loaded: object, distribution: str = "fake", version: str = "1.0") -> Entry:
    """A line of an entry-point group; an exception is raised when it is loaded."""

    def load() -> object:
        if isinstance(loaded, BaseException):
            raise loaded
        return loaded

    return Entry(name, f"{distribution}:{name}", distribution, version, load)


@contextmanager
def installed(*formats: Format) -> Iterator[None]:
    """Formats beside those that are really installed, in the registry that all the code shares."""
    entries = [entry(str(each.spec.tag), each) for each in formats]
    fresh = Registry(scan=lambda: [*installed_entries(), *entries])
    with pytest.MonkeyPatch.context() as patch:
        for attribute in ("_scan", "_entries", "_broken", "_loaded"):
            patch.setattr(registries.registry, attribute, getattr(fresh, attribute))
        yield


def point(name: str, value: str) -> EntryPoint:
    """What the packaging metadata holds."""
    return EntryPoint(name=name, value=value, group=registries.GROUP)
