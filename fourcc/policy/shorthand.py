"""The formats that ``--format Q4_Z:group=64,F16`` names: tags, each with settings of its layout and its encoder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fourcc.policy.asked_formats import find_format
from fourcc.policy.asked_words import tag_hint
from fourcc.tags import as_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fourcc.format import Format
    from fourcc.plugins.registry import Registry
    from fourcc.policy.places import Problems
    from fourcc.settings import Setting

_TRUTH = {"true": True, "false": False}


def spelled_choices(text: str, registry: Registry, problems: Problems) -> list[dict[str, object]]:
    """The choices of a chain, as tables of a policy; every slip is reported.

    Args:
        text: ``TAG[:NAME=VALUE]...,TAG...``.
        registry: the formats.
        problems: takes the slips.
    """
    pieces = [piece.strip() for piece in text.split(",")]
    return [choice for piece in pieces if (choice := _choice(piece, registry, problems)) is not None]


def _choice(piece: str, registry: Registry, problems: Problems) -> dict[str, object] | None:
    spelled, *settings = piece.split(":")
    try:
        tag = as_tag(spelled.strip())
    except ValueError as error:
        problems.add((), str(error), tag_hint(spelled.strip(), registry))
        return None
    fmt = find_format(tag, (), registry, problems)
    tables: dict[str, dict[str, object]] = {"params": {}, "encoder": {}}
    for setting in settings if fmt is not None else ():
        assert fmt is not None
        _set(fmt, setting, tables, problems)
    return {"tag": str(tag), **{name: table for name, table in tables.items() if table}}


def _set(fmt: Format, text: str, tables: dict[str, dict[str, object]], problems: Problems) -> None:
    """Adds a setting to the table that it belongs to."""
    name, _, value = (part.strip() for part in text.partition("="))
    for table, settings in (("params", fmt.params), ("encoder", fmt.options)):
        known = next((setting for setting in settings if setting.name == name), None)
        if known is not None:
            tables[table][name] = _value(known, value)
            return
    names = [setting.name for setting in (*fmt.params, *fmt.options)]
    hint = problems.nearest(name, names) or f"it has {', '.join(names) or 'none'}"
    problems.add((), f"{fmt.tag} has no setting {name!r}", hint)


def _value(setting: Setting, text: str) -> object:
    """The value of the setting's type; a text that spells none is left to the check of all policies."""
    kind = type(setting.default)
    value: object = text
    with contextlib.suppress(ValueError):
        value = _TRUTH.get(text, text) if kind is bool else kind(text)
    return value


def fallback_entries(choices: Sequence[dict[str, object]]) -> list[object]:
    """Further choices as entries of ``fallback``: a bare tag where it has no settings."""
    return [choice["tag"] if len(choice) == 1 else choice for choice in choices]
