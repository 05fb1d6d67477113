"""Formats for one test, and a registry that has them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import EntryPoint

from fourcc.format import Format
from fourcc.plugins.entries import FORMATS, Entry
from fourcc.plugins.registry import registry


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
    with ExitStack() as stack:
        for each in formats:
            stack.enter_context(registry.trying(each, ("fake", "1.0")))
        yield


def point(name: str, value: str) -> EntryPoint:
    """The packaging metadata."""
    return EntryPoint(name=name, value=value, group=FORMATS)
