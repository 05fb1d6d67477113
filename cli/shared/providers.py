"""Whose formats a file's tensors are in, beside those that are installed; told from metadata, no plugin is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourcc import __version__
from fourcc.container.index import Index, Provider
from fourcc.errors import PluginError

if TYPE_CHECKING:
    from fourcc.entries import Entry
    from fourcc.tags import FourCC

OWN = Provider("fourcc", __version__)


def lines(index: Index) -> Iterator[str]:
    """What to know of a file's formats: those that are missing, and those that another version of theirs made.

    What is installed is looked up only where the file holds other formats than this very fourcc's: it takes a while.
    """
    for name, maker in missing(index).items():
        count = sum(str(tensor.tag) == name for tensor in index.tensors)
        yield f"{_tensors(count)} in the format {name}, which is not installed. {advice(name, maker)}"
    for (tag, provider), count in _foreign(index).items():
        entry = _entry(tag)
        if provider is None or entry is None or str(provider) == entry.owner:
            continue
        if entry.distribution != OWN.distribution:
            yield (
                f"{_tensors(count)} in the format {tag} made by {provider}; installed is {entry.owner}, whose encoder "
                "may be another: --tensor NAME tells."
            )


def missing(index: Index) -> dict[str, Provider | None]:
    """Tags that no installed package provides, each with whose format it was, where the file says so."""
    if not _foreign(index):
        return {}
    from fourcc.registry import registry

    found: dict[str, Provider | None] = {}
    for tag, named in _foreign(index):
        if tag not in registry:
            found[str(tag)] = found.get(str(tag)) or named
    return found


def advice(tag: str, provider: Provider | None) -> str:
    """What to install for a format that is missing."""
    if provider is None:
        return f"Install the package that provides {tag}."
    return f"It was made with {provider}: install that package."


def _foreign(index: Index) -> Counter[tuple[FourCC, Provider | None]]:
    """Tensors of formats that are not this very fourcc's: by tag and provider."""
    pairs = (
        (tensor.tag, None if tensor.provider is None else index.providers[tensor.provider]) for tensor in index.tensors
    )
    return Counter(pair for pair in pairs if pair[1] != OWN)


def _entry(tag: FourCC) -> Entry | None:
    """Who declares a tag here, where just one does."""
    from fourcc.registry import registry

    try:
        return registry.entry(tag)
    except PluginError:
        return None


def _tensors(count: int) -> str:
    return f"{count} tensor{'s' * (count != 1)}"
