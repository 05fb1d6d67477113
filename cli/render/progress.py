"""Progress of long work on stderr: one line that is rewritten on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Self

from fourcc.cli.render import terminal, units
from fourcc.cli.render.progress_line import ASCII_MARKS, MARKS, ProgressFacts
from fourcc.progress import DONE_BEFORE

REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0  # seconds between lines that stay, and before the first one in a file or a pipe
SOON = 1.0  # seconds before the first line on a dumb terminal, where somebody waits
SPARE = 3  # columns that stay free, so that the ^C of an interrupt is on the same line
DONE = re.compile("[━╸]+|#+")
RIGID = ("linux", "vt")  # terminals that cut a line where they become narrower; others wrap it


class Progress:
    """Shows how much of the work is done; a context manager that leaves a clean line behind.

    Args:
        verb: for example ``converting``.
        nbytes: bytes, or units, of the whole work, for the rate; 0: the `total` of the first call.
        quiet: whether to show nothing.
        clock: gives seconds; tests pass their own.
        unit: the name of the units, if they are not bytes.
    """

    paced = True  # whether the line says rate and time left

    def __init__(
        self, verb: str, nbytes: int, *, quiet: bool, clock: Callable[[], float] = time.monotonic, unit: str = ""
    ) -> None:
        self._verb = verb
        self._nbytes = nbytes
        self._unit = unit
        self._quiet = quiet or sys.stderr is None
        self._clock = clock
        self._rewrites = terminal.on_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        self._start = clock()
        first = REDRAW_SECONDS if self._rewrites else SOON if terminal.on_terminal(sys.stderr) else LINE_SECONDS
        self._next = self._start + first
        self._first: tuple[float, float] | None = None  # seconds and share of the work at the first call
        self._before = 0.0  # share of the work that an earlier run has done
        self._drawn = 0  # columns of the line that is on the terminal

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def rate(self) -> str:
        """The rate of the whole work, once it is done."""
        return self._rate(self._nbytes * (1 - self._before) / max(self.seconds, 1e-9))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        import logging  # here: it takes longer to load than a listing of a model

        self.clear()
        logging.getLogger(__name__).info("%s took %.3f s", self._verb, self.seconds)

    def __call__(self, name: str, done: int, total: int) -> None:
        """Shows that `done` of `total` are done, and that `name` is being worked on."""
        now = self._clock()
        self._nbytes = self._nbytes or total
        if name == DONE_BEFORE:
            self._before = done / max(1, total)
        else:
            self._first = self._first or (now, done / max(1, total))
        if self._quiet or now < self._next:
            return
        facts = self._facts(terminal.safe(name), done / max(1, total))
        if self._rewrites:
            self._next = now + REDRAW_SECONDS
            self._draw(facts)
        else:
            self._next = now + LINE_SECONDS
            terminal.err(facts.plain)

    def clear(self) -> None:
        """Removes the line from the terminal, so that another one can be written."""
        if terminal.on_the_way == self.clear:  # another line may be in the way, such as that of a download
            terminal.on_the_way = None
        if self._drawn:
            self._write(self._erasing(terminal.width(sys.stderr)))
            self._drawn = 0

    def _facts(self, name: str, share: float) -> ProgressFacts:
        if not self.paced:
            return ProgressFacts(self._verb, share, "", name)
        rate = self._rate(self._nbytes * (share - self._before) / max(self.seconds, 1e-9))
        return ProgressFacts(self._verb, share, f"{rate}, {self._left(share)} left", name)

    def _left(self, share: float) -> str:
        """The time that is left by the pace since the first call: before it kernels are compiled, once."""
        began, before = self._first or (self._start, 0.0)
        return units.clock((self._clock() - began) * (1 - share) / (share - before)) if share > before else "?"

    def _rate(self, value: float) -> str:
        if not self._unit:
            return f"{units.short_bytes(value)}/s"
        return f"{value:.{0 if value >= 10 else 1}f} {self._unit}/s"

    def _draw(self, facts: ProgressFacts) -> None:
        """Replaces the line on the terminal."""
        columns = terminal.width(sys.stderr)
        line = facts.fitted(max(1, columns - SPARE), MARKS if _holds(MARKS) else ASCII_MARKS)
        self._write(self._erasing(columns) + _in_colour(line))
        self._drawn = len(line)
        terminal.on_the_way = self.clear

    def _erasing(self, columns: int) -> str:
        """The characters that erase the line; a terminal that became narrower has wrapped it."""
        rows = max(0, self._drawn - 1) // max(1, columns)
        rigid = "XTERM_VERSION" in os.environ or os.environ.get("TERM", "").startswith(RIGID)
        return f"\r\x1b[{rows}A\x1b[J" if rows and not rigid else "\r\x1b[K"

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _in_colour(line: str) -> str:
    """The line with the marks of what is done in colour, where the terminal shows it."""
    return DONE.sub(lambda marks: terminal.styled(marks[0], "green", stream=sys.stderr), line, count=1)


def _holds(marks: tuple[str, ...]) -> bool:
    """Whether stderr's encoding has the marks of a bar."""
    try:
        "".join(marks).encode(getattr(sys.stderr, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
