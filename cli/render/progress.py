"""Progress of long work on stderr: one line that is rewritten on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Self

from fourcc.cli.render import terminal, units
from fourcc.cli.render.tables import shortened

REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0  # seconds between lines that stay, and before the first one


class Progress:
    """Shows how much of the work is done; a context manager that leaves a clean line behind.

    Args:
        verb: for example ``converting``.
        nbytes: bytes, or units, of the whole work, for the rate; 0: the `total` of the first call.
        quiet: whether to show nothing.
        clock: gives seconds; tests pass their own.
        unit: the name of the units, if they are not bytes.
    """

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
        self._next = self._start + (REDRAW_SECONDS if self._rewrites else LINE_SECONDS)
        self._first: tuple[float, float] | None = None  # seconds and share of the work at the first call
        self._drawn = 0  # characters of the line that is on the terminal

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def rate(self) -> str:
        """The rate of the whole work, once it is done."""
        return self._rate(self._nbytes / max(self.seconds, 1e-9))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __call__(self, name: str, done: int, total: int) -> None:
        """Shows that `done` of `total` are done, and that `name` is being worked on."""
        now = self._clock()
        self._nbytes = self._nbytes or total
        self._first = self._first or (now, done / max(1, total))
        if self._quiet or now < self._next:
            return
        text = terminal.safe(self._line(name, done / max(1, total)))
        if self._rewrites:
            self._next = now + REDRAW_SECONDS
            self._draw(shortened(text, terminal.width(sys.stderr) - 1))
        else:
            self._next = now + LINE_SECONDS
            terminal.err(text)

    def clear(self) -> None:
        """Removes the line from the terminal, so that another one can be written."""
        self._draw("")

    def _line(self, name: str, share: float) -> str:
        seconds = self.seconds
        rate = self._rate(self._nbytes * share / seconds)
        return f"{self._verb} {100 * share:3.0f} %, {rate}, {self._left(share)} left: {name}".rstrip(": ")

    def _left(self, share: float) -> str:
        """The time that is left by the pace since the first call: before it kernels are compiled, once."""
        began, before = self._first or (self._start, 0.0)
        return units.clock((self._clock() - began) * (1 - share) / (share - before)) if share > before else "?"

    def _rate(self, value: float) -> str:
        if not self._unit:
            return f"{units.short_bytes(value)}/s"
        return f"{value:.{0 if value >= 10 else 1}f} {self._unit}/s"

    def _draw(self, text: str) -> None:
        """Replaces the line on the terminal, with nothing but a carriage return."""
        if self._rewrites and (text or self._drawn):
            with contextlib.suppress(OSError):
                sys.stderr.write(f"\r{text.ljust(self._drawn)}" + ("" if text else "\r"))
                sys.stderr.flush()
            self._drawn = len(text)
