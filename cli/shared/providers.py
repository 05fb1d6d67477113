"""Providers of a file's formats, compared with the installed packages. Only metadata are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourcc import __version__
from fourcc.container.index import Index, Provider
from fourcc.errors import PluginError

if TYPE_CHECKING:
    from fourcc.plugins.entries import Entry
    from fourcc.tags import FourCC

OWN = Provider("fourcc", __version__)


def lines(index: Index) -> Iterator[str]:
    """Notes on a file's formats: those that are missing, and those that another version of their package made.

    Installed packages are looked up only if the file holds formats of another provider: it takes a while.
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
    """Tags that no installed package provides, each with its provider if the file names one."""
    if not _foreign(index):
        return {}
    from fourcc.plugins.registry import registry

    providers: dict[str, Provider | None] = {}
    for tag, named in _foreign(index):
        if tag not in registry:
            providers[str(tag)] = providers.get(str(tag)) or named
    return providers


def advice(tag: str, provider: Provider | None) -> str:
    """The package to install for a missing format."""
    if provider is None:
        return f"Install the package that provides {tag}."
    return f"It was made with {provider}: install that package."


def _foreign(index: Index) -> Counter[tuple[FourCC, Provider | None]]:
    """Tensors in formats of other providers, by tag and provider."""
    pairs = (
        (tensor.tag, None if tensor.provider is None else index.providers[tensor.provider]) for tensor in index.tensors
    )
    return Counter(pair for pair in pairs if pair[1] != OWN)


def _entry(tag: FourCC) -> Entry | None:
    """The entry point that declares a tag, if just one does."""
    from fourcc.plugins.registry import registry

    try:
        return registry.entry(tag)
    except PluginError:
        return None


def _tensors(count: int) -> str:
    return f"{count} tensor{'s' * (count != 1)}"
