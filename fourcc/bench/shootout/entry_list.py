"""The formats that take part in a shootout, and those that cannot, with reasons."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from fourcc.bench.shootout.results import Entrant
from fourcc.errors import MissingFormatError, PluginError, UsageError
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.tags import FourCC, as_tag


@attrs.frozen
class EntryList:
    """The formats that take part, and those that cannot.

    Attributes:
        formats: can be tried, with the owner of each.
        out: cannot, with a reason each.
    """

    formats: tuple[tuple[Format, str], ...]
    out: tuple[Entrant, ...]


def entry_list(tags: Iterable[str] | None, known: frozenset[str]) -> EntryList:
    """The formats of these tags, or all that have an encoder of real numbers.

    Args:
        tags: None: all. A broken plugin is listed with its reason.
        known: calibration data that there are: ``importance``, ``hessian``.

    Raises:
        UsageError: a tag is malformed, or its format has no encoder of real numbers.
        MissingFormatError: no installed package declares a tag.
    """
    able, broken = _all() if tags is None else _named(tags)
    lacking = {fmt.tag: sorted(fmt.needs - known) for fmt, _ in able}
    out = [Entrant(str(fmt.tag), owner, reason=_needs(lacking[fmt.tag])) for fmt, owner in able if lacking[fmt.tag]]
    return EntryList(tuple(each for each in able if not lacking[each[0].tag]), (*out, *broken))


def _needs(names: list[str]) -> str:
    return f"needs the {' and the '.join(names)} of each tensor's inputs"


def _all() -> tuple[list[tuple[Format, str]], list[Entrant]]:
    able = [(fmt, entry.owner) for fmt, entry in registry.working() if fmt.encode is not None and fmt.real]
    broken = [Entrant(each.entry.name, each.entry.owner, reason=each.reason) for each in registry.broken()]
    return able, broken


def _named(texts: Iterable[str]) -> tuple[list[tuple[Format, str]], list[Entrant]]:
    able, broken = [], []
    for tag in dict.fromkeys(map(_tag, texts)):
        try:
            fmt, owner = next(registry.working([tag]), None) or (registry[tag], registry.entry(tag))
        except MissingFormatError:
            raise
        except PluginError as error:
            broken.append(Entrant(str(tag), "", reason=error.what))
            continue
        if fmt.encode is None or not fmt.real:
            raise UsageError(f"the format {tag} has no encoder of real numbers", hint="Leave it out.")
        able.append((fmt, owner.owner))
    return able, broken


def _tag(text: str) -> FourCC:
    try:
        return as_tag(text)
    except ValueError as error:
        raise UsageError(str(error), hint="`fourcc formats` lists them.") from error
