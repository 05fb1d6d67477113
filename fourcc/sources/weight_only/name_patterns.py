"""Patterns of module names in configs: regular expressions from a file that nobody trusts.

Matching such an expression can take for ever where a group repeats, as in ``(a+)+b``, or where very many parts repeat.
No config needs that to name modules, so these are refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from fourcc.errors import SourceError, shown

LONGEST = 4096  # characters of a pattern
REPEATS = 8  # parts of a pattern that repeat
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)  # an escape, a set, or a character


@attrs.frozen
class NamePattern:
    """A pattern of a module's name, which counts where a name begins with it."""

    text: str

    @classmethod
    def of(cls, text: str, path: Path) -> NamePattern:
        """The pattern.

        Args:
            text: a regular expression.
            path: of the config, for messages.

        Raises:
            SourceError: it is none, or one that may take for ever.
        """
        try:
            re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            raise _refusal(path, text, f"a regular expression ({error})") from error
        if len(text) > LONGEST or _may_take_for_ever(text):
            raise _refusal(path, text, f"one in which no group repeats, and {REPEATS} parts at most")
        return cls(text)

    def begins(self, name: str) -> bool:
        """Whether a name begins with the pattern, as Python's `re.match` tells."""
        return re.match(self.text, name) is not None


def _may_take_for_ever(text: str) -> bool:
    atoms: list[str] = _ATOM.findall(text)
    repeated = [before for before, atom in zip(["", *atoms], atoms, strict=False) if atom in {"*", "+", "{"}]
    return ")" in repeated or len(repeated) > REPEATS


def _refusal(path: Path, text: str, expected: str) -> SourceError:
    what = "a pattern of module names in the quantization_config cannot be used"
    return SourceError(what, file=path, found=shown(text), expected=expected)
