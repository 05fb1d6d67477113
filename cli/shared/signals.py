"""Signals that end a command: they become exceptions, so that what must be removed is removed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP: whatever lets Ctrl-C through lets it through, and nobody goes on after it."""


@contextlib.contextmanager
def as_exceptions() -> Iterator[list[int]]:
    """Turns SIGTERM and SIGHUP into exceptions; one that is ignored stays so. Gives those that came."""
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
