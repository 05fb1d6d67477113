"""`-v`: what the packages of fourcc log is told on stderr, with the seconds since the start of the command.

The core logs with the standard library's `logging`, under names that begin with ``fourcc``. A program that uses the
library chooses its own handler; the command line adds this one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from fourcc.cli.render import terminal

LOGGER = "fourcc"


class Narrator(logging.Handler):
    """Writes records to stderr, a line each."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record. Text from files is made safe."""
        terminal.err(f"fourcc: {time.monotonic() - self._start:8.3f} s: {terminal.safe(record.getMessage())}")


def begin() -> Callable[[], None]:
    """Begins to tell; what it gives ends that."""
    logger, narrator = logging.getLogger(LOGGER), Narrator()
    before = logger.level
    logger.addHandler(narrator)
    logger.setLevel(logging.INFO)

    def end() -> None:
        logger.removeHandler(narrator)
        logger.setLevel(before)

    return end
