"""Kinds of checkpoints that plugins read; they are asked where no kind of this package with a mark fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import attrs

from fourcc.errors import FourccError, PluginError
from fourcc.plugins.entries import SOURCES, Entry
from fourcc.plugins.firewall import behind_firewall, breach
from fourcc.plugins.kinds import KindRegistry, expected
from fourcc.plugins.loading import ONE_OF_TWO
from fourcc.sources.kind import SourceKind
from fourcc.sources.source import Source, SourceTensor, storable


def plugged_sources(own: Collection[str]) -> KindRegistry[SourceKind]:
    """The kinds of the installed plugins; `own` are the names of this package's."""
    return KindRegistry("source", SOURCES, _checked, own)


def claimant(plugged: KindRegistry[SourceKind], path: Path, head: bytes) -> SourceKind | None:
    """The plugin's kind that a file is of; None where no plugin recognises it. One that fails is counted as broken.

    Args:
        plugged: the plugins.
        path: the file, or a folder.
        head: its first bytes.

    Raises:
        PluginError: several recognise it; nobody chooses silently how a file is read.
    """
    claims: list[tuple[SourceKind, Entry]] = []
    for kind, entry in plugged.working():
        try:
            if kind.recognises(path, head):
                claims.append((kind, entry))
        except (FourccError, OSError) as error:
            said = error.found if isinstance(error, PluginError) else error
            plugged.refuse(entry, f"recognises fails: {said}")
    if len(claims) > 1:
        owners = " and by ".join(f"{kind.name} of {entry.owner}" for kind, entry in claims)
        raise PluginError(f"the file is claimed by {owners}", file=path, hint=ONE_OF_TWO)
    return claims[0][0] if claims else None


def hint_on_broken(plugged: KindRegistry[SourceKind]) -> str | None:
    """For a file that nothing recognises: the plugins that could not be asked, if there are any."""
    broken = [f"{each.entry.name} of {each.entry.owner} ({each.reason})" for each in plugged.broken()]
    return f"Plugins that cannot be used: {', '.join(broken)}." if broken else None


def _checked(loaded: object, entry: Entry) -> SourceKind:
    """The loaded kind, its functions behind a firewall."""
    kind = expected(loaded, entry, SourceKind)
    recognises, opening = (f"{name} of the source {entry.name} ({entry.owner})" for name in ("recognises", "open"))
    opened = partial(_opened, behind_firewall(kind.open, opening), entry, opening)
    return attrs.evolve(kind, recognises=behind_firewall(kind.recognises, recognises), open=opened)


def _opened(function: Callable[[Path], object], entry: Entry, whose: str, path: Path) -> Source:
    """The source that a plugin's `open` returns, checked, its functions behind a firewall."""
    source = function(path)
    if not isinstance(source, Source):
        raise breach(whose, f"a {type(source).__name__}", "a fourcc.Source")
    try:
        problem = _problem(source)
    except BaseException:
        source.close()
        raise
    if problem is not None:
        source.close()
        raise breach(whose, problem)
    plugin = f"of the source {entry.name} ({entry.owner})"
    tensors = [
        attrs.evolve(each, read=behind_firewall(each.read, f"read {plugin}", alone=False)) for each in source.tensors
    ]
    return attrs.evolve(source, tensors=tuple(tensors), close=behind_firewall(source.close, f"close {plugin}"))


def _problem(source: Source) -> str | None:
    """The first thing in a source that the rest of the package could not work with, or None."""
    tensors: tuple[object, ...] = source.tensors
    for tensor in tensors:
        if not isinstance(tensor, SourceTensor):
            return f"a {type(tensor).__name__} among the tensors"
        if any(type(size) is not int or size < 0 for size in tensor.shape):
            return f"tensor {tensor.name!r} of shape {tensor.shape}"
        misfit = tensor.format.misfit(tensor.shape, tensor.params)
        if misfit is not None:
            return f"tensor {tensor.name!r} of shape {tensor.shape} in {tensor.tag}: {misfit}"
    twice = [name for name, count in Counter(tensor.name for tensor in source.everything).items() if count > 1]
    if twice:
        return f"{len(twice)} names of several tensors: {twice[0]!r}"
    odd = [f"hyper-parameter {name!r} is {value!r}" for name, value in source.hyper.items() if not storable(value)]
    odd += [f"blob {name!r} is no bytes" for name, value in source.blobs.items() if type(value) is not bytes]
    return odd[0] if odd else None
