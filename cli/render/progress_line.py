"""The line that shows how far long work is: share, bar, rate, time left, name, as far as there is room for them."""

from __future__ import annotations

import attrs

from fourcc.cli.render.tables import shortened

LEAST_BAR, LONGEST_BAR = 8, 30  # columns
LEAST_NAME = 12  # columns that are worth a name
MARKS = ("━", "╸", "─")  # full, half, empty
ASCII_MARKS = ("#", "", "-")


@attrs.frozen
class ProgressFacts:
    """How far work is.

    Attributes:
        verb: for example ``converting``.
        share: of the work that is done, 0 to 1.
        pace: rate and time left, in words; empty where neither is known.
        name: what is worked on; may be empty.
    """

    verb: str
    share: float
    pace: str
    name: str

    @property
    def plain(self) -> str:
        """The whole line for a file or a dumb terminal."""
        told = ", ".join(filter(None, [f"{self.verb} {self._percent}", self.pace]))
        return f"{told}: {self.name}" if self.name else told

    def fitted(self, columns: int, marks: tuple[str, str, str] = MARKS) -> str:
        """The line for a terminal: what does not fit is left out, the name first, then the bar, then the pace."""
        head, tail = f"{self.verb} {self._percent}", f"  {self.pace}" if self.pace else ""
        room = columns - len(head) - len(tail) - 2
        if room < LEAST_BAR:
            return shortened(head + tail, columns) if room + 2 >= 0 else head[:columns]
        named = min(len(self.name), room - LEAST_BAR - 2)
        name = f"  {shortened(self.name, named)}" if named >= min(len(self.name), LEAST_NAME) > 0 else ""
        bar = _bar(self.share, min(LONGEST_BAR, room - len(name)), marks)
        return f"{head}  {bar}{tail}{name}"

    @property
    def _percent(self) -> str:
        return f"{100 * self.share:3.0f} %"


def _bar(share: float, columns: int, marks: tuple[str, str, str]) -> str:
    """A bar of a width, in steps of half a column."""
    full, half, empty = marks
    halves = int(2 * columns * min(max(share, 0.0), 1.0))
    drawn = full * (halves // 2) + half * (halves % 2)
    return drawn + empty * (columns - len(drawn))
