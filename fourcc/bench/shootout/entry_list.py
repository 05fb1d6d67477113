"""The formats that take part in a shootout, and those that cannot, with reasons."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from fourcc.bench.shootout.results import Entrant
from fourcc.calibration.asked_options import asked_options, spelled_option
from fourcc.errors import PluginError
from fourcc.plugins.registry import registry
from fourcc.policy.asked_formats import TargetFormat
from fourcc.settings import complete


@attrs.frozen
class EntryList:
    """The formats that take part, and those that cannot.

    Attributes:
        formats: can be tried, with their settings and the owner of each.
        out: cannot, with a reason each.
    """

    formats: tuple[tuple[TargetFormat, str], ...]
    out: tuple[Entrant, ...]


def entry_list(options: Iterable[str] | None, known: frozenset[str]) -> EntryList:
    """The formats that are asked for, or all that have an encoder of real numbers.

    Args:
        options: ``TAG[:NAME=VALUE]...``, each; None: all, with default settings. A broken plugin is listed with its
            reason.
        known: calibration data that there are: ``importance``, ``hessian``.

    Raises:
        UsageError: an option is malformed, no installed package declares its tag, or its format has no encoder.
    """
    able, broken = _all() if options is None else _named(options)
    out = [
        Entrant(spelled_option(target), owner, reason=f"needs the {' and the '.join(lacking)} of each tensor's inputs")
        for target, owner in able
        if (lacking := sorted(target.format.needs - known))
    ]
    return EntryList(tuple(each for each in able if not each[0].format.needs - known), (*out, *broken))


def _all() -> tuple[list[tuple[TargetFormat, str]], list[Entrant]]:
    able = [
        (TargetFormat(fmt, complete(fmt.params, {}), complete(fmt.options, {})), entry.owner)
        for fmt, entry in registry.working()
        if fmt.encode is not None and fmt.real
    ]
    broken = [Entrant(each.entry.name, each.entry.owner, reason=each.reason) for each in registry.broken()]
    return able, broken


def _named(options: Iterable[str]) -> tuple[list[tuple[TargetFormat, str]], list[Entrant]]:
    able: list[tuple[TargetFormat, str]] = []
    broken: list[Entrant] = []
    for text in dict.fromkeys(options):
        try:
            (target,) = asked_options([text])
        except PluginError as error:
            broken.append(Entrant(text, "", reason=error.what))
            continue
        able.append((target, registry.entry(target.format.tag).owner))
    return able, broken
