"""Imports plugins in another process first: one that crashes, ends its process or never ends disturbs no command."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import attrs

import fourcc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

LIMIT = 20.0  # seconds that the import of a plugin may take


@attrs.frozen
class End:
    """How a process ended before it was done.

    Attributes:
        text: in words.
        said: the last words that it wrote to stderr, which tell the place of a crash.
        done: number of jobs that were done before.
        slow: whether it had to be ended.
    """

    text: str
    said: str
    done: int = 0
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.text}; {self.said}" if self.said else self.text


def ends_of_imports(targets: Sequence[str], limit: float | None = None) -> dict[str, End]:
    """The targets whose import a process does not survive, and how it ended.

    One process imports all. If it ends early, those that it has not come to are imported in a process each, and where
    an earlier one may be the cause, all are.

    Args:
        targets: ``module:attribute`` each.
        limit: seconds that an import may take; None: `LIMIT`.
    """
    seconds = LIMIT if limit is None else limit
    end = _import(targets, seconds) if targets else None
    if end is None:
        return {}
    first = end.done < len(targets) and (end.slow or end.done == 0)
    found = {targets[end.done]: end} if first else {}
    for target in targets[end.done + 1 :] if first else targets:
        alone = _import([target], seconds)
        if alone is not None:
            found[target] = alone
    return found


def _import(targets: Sequence[str], limit: float) -> End | None:
    """How a process that imports targets ended early; None where it came to its end."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = start("fourcc.plugins.child", {}, said)
        try:
            tell(process, {"targets": list(targets), "limit": limit})
            done, slow = _answers(process, len(targets), limit)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0 if slow else limit)
            code = process.poll()
        finally:
            end_group(process)
        if done == len(targets) and code == 0:
            return None
        said.seek(0)
        text = f"it did not end within {limit:g} seconds" if code is None else ending(code)
        return End(text, last_words(said.read()), done, slow=code is None)


def _answers(process: subprocess.Popen[bytes], count: int, limit: float) -> tuple[int, bool]:
    """Number of imports that returned, and whether one takes longer than the limit."""
    assert process.stdout is not None
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    Thread(target=_pass_on, args=(os.dup(process.stdout.fileno()), said), daemon=True).start()
    done = 0
    while done < count:
        try:
            text = said.get(timeout=limit)
        except queue.Empty:
            return done, True
        if not text:
            break
        done += text.count(b"\n")
    return done, False


def _pass_on(fd: int, said: queue.SimpleQueue[bytes]) -> None:
    """Passes on what comes from a descriptor, and closes it; Windows cannot wait for a pipe with a limit."""
    with open(fd, "rb", buffering=0) as pipe:
        while text := pipe.read(1 << 12):
            said.put(text)
    said.put(b"")


def start(module: str, settings: Mapping[str, str], said: IO[Any]) -> subprocess.Popen[bytes]:
    """Starts a module of this package in a process that finds the same modules as this one.

    It has a process group of its own, so that `end_group` ends what it has started, too; Ctrl-C reaches this process
    alone.

    Args:
        module: its name.
        settings: environment variables.
        said: gets what it writes to stderr.
    """
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)  # noqa: PTH109 - a text
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1", **settings}
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env=environment,
        start_new_session=True,
    )


def tell(process: subprocess.Popen[bytes], job: Mapping[str, object]) -> None:
    """Gives a process its job on stdin."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died already, which shows when its answers are read
        process.stdin.write(json.dumps(job).encode())
        process.stdin.flush()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a process, and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # Windows ends the process alone
            process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def ending(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"


def last_words(text: str) -> str:
    """The innermost Python frame of a plugin, or of all, that a dying process wrote; else its last line."""
    frames = re.findall(r'^\s*File "([^"]+)", line (\d+) in (\S+)', text, re.MULTILINE)
    for theirs in (True, False):
        for file, line, function in frames:
            if f"{os.sep}numpy{os.sep}" not in file and not (theirs and file.startswith(OURS)):
                return f"in {function}, {file}:{line}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


# Folders whose frames tell an author nothing: fourcc's, and those of Python's library.
OURS = tuple(f"{Path(module.__file__).parent}{os.sep}" for module in (fourcc, re, json, subprocess) if module.__file__)
