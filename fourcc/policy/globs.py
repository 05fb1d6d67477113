"""Name patterns as the shell has them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

import attrs

_SPECIAL = re.compile(r"[*?[]")


@attrs.frozen
class Globs:
    """Patterns of which one must match: ``*`` any run of characters, dots too, ``?`` one, ``[a-f]`` one of a set.

    Case counts; ``[[]`` is a bracket. No pattern makes matching slow: `fnmatch` compiles to expressions that never try
    the same star twice.
    """

    patterns: tuple[str, ...]
    _compiled: tuple[re.Pattern[str], ...] = attrs.field(init=False, eq=False, repr=False)
    _literal: frozenset[str] = attrs.field(init=False, eq=False, repr=False)

    @_compiled.default
    def _compile(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(fnmatch.translate(pattern)) for pattern in self.patterns if _SPECIAL.search(pattern))

    @_literal.default
    def _spelled(self) -> frozenset[str]:
        return frozenset(pattern for pattern in self.patterns if not _SPECIAL.search(pattern))

    def match(self, name: str) -> bool:
        """Whether one of the patterns matches."""
        return name in self._literal or any(pattern.match(name) for pattern in self._compiled)

    def match_any(self, names: Iterable[str]) -> bool:
        """Whether one of the patterns matches one of the names."""
        return any(self.match(name) for name in names)


def spelled(name: str) -> str:
    """The pattern that matches this name only.

    >>> spelled("blocks[0].w*")
    'blocks[[]0].w[*]'
    """
    return _SPECIAL.sub(lambda special: f"[{special[0]}]", name)
