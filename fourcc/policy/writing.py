"""Writes policies as TOML text, so that a file holds what a person could have written."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from fourcc.policy.globs import Globs, spelled
from fourcc.policy.rule import Decision
from fourcc.policy.schema import VERSION
from fourcc.settings import Params
from fourcc.tags import FourCC

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")  # between dots: a layer or an expert


class Row(NamedTuple):
    """How one tensor is to be stored.

    Attributes:
        name: the tensor's name.
        tag: the format.
        params: its parameters.
        options: the encoder's options.
        keep: whether the tensor is carried as the source stores it, in that format.
        nonfinite: whether NaN and infinity are let through.
    """

    name: str
    tag: FourCC
    params: Params
    options: Params
    keep: bool = False
    nonfinite: bool = False


def rules_text(
    rules: Iterable[Mapping[str, object]],
    *,
    head: Sequence[str] = (),
    expect: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The TOML text of a policy.

    Args:
        rules: for each the keys of its table.
        head: comments at the top, a line each.
        expect: the keys of the table ``[expect]``.
        notes: for each rule a comment above it, or an empty text; fewer than rules: the last ones have none.
    """
    version = "".join(f"{line}\n" for line in [*map(_comment, head), f"version = {VERSION}"])
    pieces = [version, *([f"\n[expect]\n{_table(expect)}"] if expect else [])]
    for rule, note in zip(rules, chain(notes, repeat("")), strict=False):
        comment = f"{_comment(note)}\n" if note else ""
        pieces.append(f"\n{comment}[[rule]]\n{_table(rule)}")
    return "".join(pieces)


def _table(values: Mapping[str, object]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in values.items())


def _comment(text: str) -> str:
    """A comment. TOML allows no control characters in one."""
    return f"# {text}" if text.isprintable() else f"# {_text(text)[1:-1]}"


def shorthand_text(first: Mapping[str, object], fallback: Sequence[object], narrow: str) -> str:
    """The text of a policy with one fallback chain.

    Args:
        first: the keys of the format that is tried first.
        fallback: the entries for those after it.
        narrow: tag for tensors of fewer than two dimensions.
    """
    rest = {"fallback": list(fallback)} if fallback else {}
    return rules_text([*narrow_rules(narrow), {"dims": ">=2", **first, **rest}])


def narrow_rules(narrow: str) -> list[dict[str, object]]:
    """The rules for what is no real matrix: integers are kept, and real tensors of fewer dimensions get a format."""
    return [
        {"values": "integer", "keep": True, "optional": True},
        {"dims": "<2", "tag": narrow, "optional": True},
    ]


def explicit_text(rows: Iterable[Decision | Row | tuple[str, FourCC, Params, Params]]) -> str:
    """The text of a policy that decides each of these tensors as given, whatever rules decided it before.

    Tensors with the same outcome share a rule. Its names are shortened to patterns (``layers.*.attention.wq``)
    where no tensor of another rule matches them.
    """
    return rules_text(rule for rule, _ in explicit_rules(rows))


def explicit_rules(
    rows: Iterable[Decision | Row | tuple[str, FourCC, Params, Params]],
) -> list[tuple[dict[str, object], list[str]]]:
    """The rules of `explicit_text`, each with the names of its tensors."""
    groups: dict[str, list[Row]] = {}
    for row in map(_row, rows):
        groups.setdefault(_value(_outcome(row)), []).append(row)
    all_names = [row.name for group in groups.values() for row in group]

    @functools.cache
    def matched(pattern: str) -> frozenset[str]:
        globs = Globs((pattern,))
        return frozenset(name for name in all_names if globs.match(name))

    return [
        ({"match": _patterns(names, matched), **_outcome(group[0])}, names)
        for group in groups.values()
        for names in [[row.name for row in group]]
    ]


def _row(row: Decision | Row | tuple[str, FourCC, Params, Params]) -> Row:
    if isinstance(row, Decision):
        return Row(row.tensor.name, row.tag, row.params, row.options, row.keep, row.nonfinite)
    return Row(*row)


def _outcome(row: Row) -> dict[str, object]:
    settings = {name: value for name, value in (("params", row.params), ("encoder", row.options)) if value}
    outcome: dict[str, object] = {"keep": True} if row.keep else {"tag": str(row.tag), **settings}
    return {**outcome, "nonfinite": "keep"} if row.nonfinite else outcome


def _patterns(names: list[str], matched: Callable[[str], frozenset[str]]) -> list[str]:
    """Patterns that match these names and no others; `matched` gives the names that a pattern matches."""
    own, patterns, covered = set(names), [], set[str]()
    for name in names:
        if name not in covered:
            pattern = next((short for short in _shorter(name) if matched(short) <= own), spelled(name))
            patterns.append(pattern)
            covered |= matched(pattern) if "*" in pattern else {name}
    return patterns


def _shorter(name: str) -> Iterator[str]:
    """Patterns for a name: first with a star for each of its numbers, then for each but the first."""
    pieces = [spelled(piece) for piece in _NUMBER.split(name)]
    if len(pieces) > 1:
        yield "*".join(pieces)
    if len(pieces) > 2:
        first = _NUMBER.search(name)
        assert first is not None
        yield pieces[0] + first[0] + "*".join(pieces[1:])


def _value(value: object) -> str:
    """TOML text of a value: a scalar, a list, or an inline table."""
    if isinstance(value, Mapping):
        pairs = [f"{_key(name)} = {_value(item)}" for name, item in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        items = [_value(item) for item in value]
        return f"[{', '.join(items)}]" if len(items) < 2 else "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A basic string. JSON escapes as TOML does; what a terminal acts on, such as U+202E, is escaped, too."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
