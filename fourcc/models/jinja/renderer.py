"""Runs a chat template in a process of its own, which is ended when it takes too long."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Any, NoReturn

import attrs

from fourcc import installation
from fourcc.errors import UsageError
from fourcc.models.jinja.marked import from_runs
from fourcc.models.jinja.wire import Rendered, packed
from fourcc.plugins.apart import end_group, ending, last_words, start

LIMIT = 20.0  # seconds that a template may take
STARTING = 60.0  # seconds that the process may take to be ready
_LEAST = (3, 1, 6)  # of jinja2: older ones have known ways out of the sandbox
CHILD = "fourcc.models.jinja.child"
_WHAT = {"syntax": "the chat template is not one that jinja2 takes", "failed": "the chat template fails"}


def is_installed() -> bool:
    """Whether a jinja2 is there that is new enough; it is not imported."""
    try:
        found = re.findall(r"\d+", version("jinja2"))
    except PackageNotFoundError:
        return False
    return tuple(map(int, found[:3])) >= _LEAST


@attrs.define(eq=False, repr=False)
class Renderer:
    """A process that runs one template, started when it is first needed.

    Attributes:
        template: the template's text.
        file: the file that messages name.
        limit: seconds that a run may take.
    """

    template: str
    file: object = None
    limit: float = LIMIT
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)
    _said: IO[bytes] | None = attrs.field(default=None, init=False)
    _end: weakref.finalize[..., Any] | None = attrs.field(default=None, init=False)

    def render(self, values: Mapping[str, object]) -> Rendered:
        """The text that the template gives for values, or its own words where it refuses them.

        Args:
            values: name -> value; texts that are not `Marked` are of users.

        Raises:
            UsageError: the template fails, takes too long or too much memory; jinja2 is not installed; a value is none
                that a template takes.
        """
        if not is_installed():
            what = "the package 'jinja2', of version 3.1.6 or later, is needed to run a chat template"
            raise UsageError(what, file=self.file, hint=installation.hint("chat"))
        job = json.dumps({"template": self.template, "values": packed(values)}).encode() + b"\n"
        result = json.loads(self._answer(job))
        if "why" not in result:
            return Rendered(result["text"], from_runs(result["runs"]))
        if result["kind"] == "refused":
            return Rendered("", b"", result["why"])
        raise UsageError(_WHAT[result["kind"]], file=self.file, found=result["why"])

    def close(self) -> None:
        """Ends the process."""
        if self._end is not None:
            self._end()
        self._process = self._said = self._end = None

    def _answer(self, job: bytes) -> bytes:
        """The line that the process gives back."""
        if self._process is None:
            said = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            process = start(CHILD, {}, said)
            self._process, self._said, self._end = process, said, weakref.finalize(self, _end, process, said)
            self._line(process, b"", STARTING)
        return self._line(self._process, job, self.limit)

    def _line(self, process: subprocess.Popen[bytes], job: bytes, limit: float) -> bytes:
        """Gives the process a job, and takes the line that comes back. Raises UsageError where none comes."""
        assert process.stdin is not None
        assert process.stdout is not None
        slow = threading.Event()
        timer = threading.Timer(limit, _stop, (process, slow))
        timer.start()
        try:
            process.stdin.write(job)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        except BaseException:
            self.close()  # an answer that nobody has taken would be taken for the next one
            raise
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self._refuse(process, f"it did not end within {limit:g} seconds" if slow.is_set() else "")
        return line

    def _refuse(self, process: subprocess.Popen[bytes], why: str) -> NoReturn:
        """Raises UsageError for a process that ended without an answer."""
        assert self._said is not None
        code = process.wait()
        self._said.seek(0)
        words = last_words(self._said.read().decode(errors="replace"))
        self.close()
        raise UsageError(_WHAT["failed"], file=self.file, found=why or f"{ending(code)}; {words}".rstrip("; "))


def _stop(process: subprocess.Popen[bytes], slow: threading.Event) -> None:
    """Ends a process that is too slow; who waits for it sees why."""
    slow.set()
    process.kill()


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    """Ends the process and closes what belongs to it."""
    end_group(process)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # a job that a dead process has not taken is still in the buffer
        process.stdin.close()
    said.close()
