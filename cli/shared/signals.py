"""Signals that end a command become exceptions, so that temporary files are removed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP. Code that lets Ctrl-C through lets this through, and never goes on after it."""


@contextlib.contextmanager
def as_exceptions() -> Iterator[list[int]]:
    """Turns SIGTERM and SIGHUP into exceptions; an ignored signal stays ignored. Yields the list of those that came."""
    came: list[int] = []

    def leave(number: int, _: object) -> NoReturn:
        came.append(number)
        raise TerminatedError

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, leave)
    try:
        yield came
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
