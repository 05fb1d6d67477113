"""`fourcc`, and `python -m fourcc`: a signal ends it cleanly from the start, even while the rest is being imported.

Until the first line here runs, the interpreter starts and imports what the environment asks for; a signal then is
Python's own to report.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as of `typing`, which is not imported before a signal is taken care of

try:
    import os
    import signal
except KeyboardInterrupt:
    sys.stderr.write("fourcc: interrupted\n")
    raise SystemExit(130) from None

if TYPE_CHECKING:
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
        code = run()
    except KeyboardInterrupt:  # between two lines of this file
        _leave(signal.SIGINT, None)
    finally:
        _end_at_once()
    if code > 128:
        _leave_work_behind(code)
    return code


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


def _leave_work_behind(code: int) -> None:
    """Ends the process where an interrupt left a compiler at work, for which Python would wait."""
    module = sys.modules.get("fourcc.kernels.compiler.interruptible")
    if module is not None and module.left_running():
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(code)


if __name__ == "__main__":
    raise SystemExit(main())
