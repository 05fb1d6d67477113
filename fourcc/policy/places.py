"""The places of a policy's keys in its text, so that a problem can name path and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import islice

import attrs

from fourcc.errors import PolicyError, Problem

Path = tuple[str | int, ...]  # keys of tables and indices of arrays, from the root: ("rule", 2, "tag")

NEAR_TAGS = 3  # tags in a hint: a tag of four letters may differ from several others by one letter
HINTED = 10  # problems that get a hint with similar names: the search takes long
COMPARED = 2000  # names, at most, that are compared for a hint

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Path) -> str:
    """A path as a person writes it.

    >>> dotted(("rule", 2, "fallback", 0, "tag"))
    'rule[2].fallback[0].tag'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in path).removeprefix(".")


def _key(name: str) -> str:
    """A key that is safe to show: a text may hold anything, even a terminal's commands."""
    return name if _BARE_KEY.fullmatch(name) else repr(name)


@attrs.frozen(eq=False)
class Places:
    """Finds the line of a path.

    Attributes:
        lines: path -> line, from 1.
        option: the command line's option that the policy was made from; problems then name it instead of a line.
    """

    lines: Mapping[Path, int] = attrs.field(factory=dict)
    option: str | None = None

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        """A problem with the value at `path`; where its line is not known, the line of the nearest table around it."""
        if self.option is not None:
            return Problem(self.option, message, hint=hint)
        known = (path[:length] for length in range(len(path), 0, -1))
        line = next((self.lines[start] for start in known if start in self.lines), None)
        return Problem(dotted(path), message, line, hint)


class Problems:
    """Collects problems.

    Attributes:
        listed: the problems, in the order of their discovery.
    """

    def __init__(self, places: Places) -> None:
        self.listed: list[Problem] = []
        self._places = places
        self._hinted = 0

    def nearest(self, name: str, known: Iterable[object], count: int = 1) -> str | None:
        """As `nearest`, for the first problems only: nobody reads hundreds of guesses."""
        self._hinted += 1
        return nearest(name, known, count) if self._hinted <= HINTED else None

    @property
    def idle_hint(self) -> str:
        """The advice for a rule that matches no tensor."""
        if self._places.option is not None:
            return "tensors of fewer than two dimensions become 32-bit floats; a policy can say otherwise"
        return "optional = true allows that"

    def add(self, path: Path, message: str, hint: str | None = None) -> None:
        """Adds a problem with the value at `path`; the empty path stands for the whole policy."""
        self.listed.append(self._places.problem(path, message, hint))

    def refuse(self, file: object = None) -> None:
        """Raises PolicyError with every problem in the order of the text, if there is one."""
        if self.listed:
            last = max(problem.line or 0 for problem in self.listed) + 1
            raise PolicyError(sorted(self.listed, key=lambda problem: problem.line or last), file=file)


def nearest(name: str, known: Iterable[object], count: int = 1) -> str | None:
    """A hint with up to `count` known names or tags that are most like `name`; None where none is like it."""
    similar = difflib.get_close_matches(name, list(map(str, islice(known, COMPARED))), n=count)
    return f"did you mean {' or '.join(map(repr, similar))}?" if similar else None
