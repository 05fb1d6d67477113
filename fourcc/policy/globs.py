"""Name patterns as the shell has them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

import attrs

_SPECIAL = re.compile(r"[*?[]")
_PIECE = re.compile(r"\[([*?[])\]|(.)", re.DOTALL)


@attrs.frozen
class Globs:
    """Patterns of which one must match: ``*`` any run of characters, dots too, ``?`` one, ``[a-f]`` one of a set.

    Case counts; ``[[]`` is a bracket. No pattern makes matching slow: `fnmatch` compiles to expressions that never try
    the same star twice. Patterns with no wildcard but stars are not compiled: compiling takes longer than matching.
    """

    patterns: tuple[str, ...]
    _starred: tuple[tuple[str, ...], ...] = attrs.field(init=False, eq=False, repr=False)
    _compiled: tuple[re.Pattern[str], ...] = attrs.field(init=False, eq=False, repr=False)
    _literal: frozenset[str] = attrs.field(init=False, eq=False, repr=False)

    @_starred.default
    def _split(self) -> tuple[tuple[str, ...], ...]:
        return tuple(runs for runs in map(_runs, self.patterns) if runs and len(runs) > 1)

    @_compiled.default
    def _compile(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(fnmatch.translate(pattern)) for pattern in self.patterns if _runs(pattern) is None)

    @_literal.default
    def _spelled(self) -> frozenset[str]:
        return frozenset(runs[0] for runs in map(_runs, self.patterns) if runs and len(runs) == 1)

    def match(self, name: str) -> bool:
        """Whether one of the patterns matches."""
        return (
            name in self._literal
            or any(_fits(runs, name) for runs in self._starred)
            or any(pattern.match(name) for pattern in self._compiled)
        )

    def match_any(self, names: Iterable[str]) -> bool:
        """Whether one of the patterns matches one of the names."""
        return any(self.match(name) for name in names)


def _runs(pattern: str) -> tuple[str, ...] | None:
    """The texts between the stars of a pattern; None where it has other wildcards.

    >>> _runs("a*b[*]"), _runs("a?")
    (('a', 'b*'), None)
    """
    runs = [""]
    for escaped, char in _PIECE.findall(pattern):
        if char and char in "?[":
            return None
        if char == "*":
            runs.append("")
        else:
            runs[-1] += escaped or char
    return tuple(runs)


def _fits(runs: tuple[str, ...], name: str) -> bool:
    """Whether a name consists of these texts in their order, with anything between them."""
    first, *middle, last = runs
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for run in middle:
        at = name.find(run, at, end)
        if at < 0:
            return False
        at += len(run)
    return True


def spelled(name: str) -> str:
    """The pattern that matches this name only.

    >>> spelled("blocks[0].w*")
    'blocks[[]0].w[*]'
    """
    return _SPECIAL.sub(lambda special: f"[{special[0]}]", name)
