"""`fourcc`, and `python -m fourcc`: a signal ends it cleanly from the start, even while the rest is being imported."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "terminated"}
DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


def main() -> int:
    """Runs the command line of the process; returns its exit code."""
    before = _end_at_once()
    from fourcc.cli.app import main as run

    try:
        for number, handler in before.items():
            signal.signal(number, handler)
        return run()
    except KeyboardInterrupt:  # between two lines of this file
        _leave(signal.SIGINT, None)
    finally:
        _end_at_once()


def _end_at_once() -> dict[int, Any]:
    """Lets a signal end the process at once, since there is nothing to clean up; an ignored signal stays ignored.

    Returns:
        The handlers before.
    """
    numbers = [getattr(signal, name) for name in WORDS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    ours = {number: handler for number, handler in before.items() if handler in DEFAULTS}
    for number in ours:
        signal.signal(number, _leave)
    return ours


def _leave(number: int, _: object) -> NoReturn:
    os.write(2, f"fourcc: {WORDS[signal.Signals(number).name]}\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main())
