"""Makes checks in other processes: a check that crashes or never ends gives a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from threading import Timer
from typing import IO

from fourcc.plugins.apart import End, ending, ends_of_imports, last_words
from fourcc.testing.finding import Finding, FoundError, Outcome
from fourcc.testing.subject import Subject

LIMIT = 300.0  # seconds for one check
DIGEST = "digest"  # a job that is no check: give a digest


def outcomes_apart(
    subject: Subject, checks: Sequence[tuple[str, str]], settings: Mapping[str, str], limit: float = LIMIT
) -> Iterator[Outcome]:
    """The outcomes of checks that another process makes; after a crash a new process goes on with the rest.

    Args:
        subject: a subject that has a target.
        checks: name and theme of each check.
        settings: environment variables.
        limit: seconds for one check.
    """
    rest = list(checks)
    while rest:
        end: End | None = None
        for told in _lines(_job(subject, [name for name, _ in rest]), settings, limit):
            if isinstance(told, End):
                end = told
                break
            yield _outcome(told)
            rest.pop(0)
        if rest:
            name, theme = rest.pop(0)
            yield Outcome(check=name, theme=theme, findings=(_crash(name, end),))


def digest_apart(subject: Subject, settings: Mapping[str, str]) -> str:
    """The result of `independence.digest` in another process. Raises FoundError where the process dies."""
    for told in _lines(_job(subject, [DIGEST]), settings, LIMIT):
        if isinstance(told, End):
            raise FoundError(_crash("the same weights, encoded in another process", told))
        return str(told[DIGEST])
    raise FoundError(_crash("the same weights, encoded in another process", None))


def import_apart(target: str) -> Finding | None:
    """The finding where importing ``module:attribute`` kills a process; None where it does not, even if it raises."""
    end = ends_of_imports([target]).get(target)
    return None if end is None else _crash(f"import {target}", end)


def _crash(name: str, end: End | None) -> Finding:
    return Finding(
        what="the process died",
        tried=f"{name}, in a process of its own",
        found="it ended without an answer" if end is None else str(end),
        expected="weights, or an exception",
        cause="the format reads or writes memory that is not its own (compiled code, ctypes or as_strided beyond a "
        "part), or ends the process itself",
        advice="Check lengths and indices against the parts' shapes before compiled code sees them.",
    )


def _outcome(told: Mapping[str, object]) -> Outcome:
    findings = told["findings"]
    assert isinstance(findings, list)
    fields = {name: told[name] for name in ("check", "theme", "skipped", "seconds")}
    return Outcome(**fields, findings=tuple(Finding(**each) for each in findings))  # type: ignore[arg-type]  # as the worker wrote them


def _job(subject: Subject, names: Sequence[str]) -> Mapping[str, object]:
    """A worker's job."""
    return {
        "target": subject.target,
        "params": dict(subject.params),
        "options": dict(subject.options),
        "vectors": None if subject.vectors is None else str(subject.vectors),
        "checks": list(names),
    }


def _lines(
    job: Mapping[str, object], settings: Mapping[str, str], limit: float
) -> Iterator[Mapping[str, object] | End]:
    """A worker's answers, one object from each line; an `End` where the worker ends before it has given all."""
    left = len(job["checks"])  # type: ignore[arg-type]  # a list, see `_job`
    with tempfile.TemporaryFile("w+") as said, _start(job, settings, said) as process:
        assert process.stdout is not None
        slow = _Limit(process, limit)
        try:
            for line in process.stdout:
                slow.again()
                left -= 1
                yield json.loads(line)
            code = process.wait()
        finally:
            slow.stop()
            process.kill()
        if left:
            said.seek(0)
            text = f"it did not end within {limit:g} seconds" if slow.over else ending(code)
            yield End(text, last_words(said.read()))


def _start(job: Mapping[str, object], settings: Mapping[str, str], said: IO[str]) -> subprocess.Popen[str]:
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)  # noqa: PTH109 - a text
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1", **settings}
    command = [sys.executable, "-P", "-m", "fourcc.testing.worker"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, text=True, env=environment)  # noqa: S603 - our own module
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(job))
        process.stdin.close()
    except BrokenPipeError:  # it died already, which shows when its answers are read
        pass
    return process


class _Limit:
    """Kills a process that takes too long over one check.

    Args:
        process: the process.
        seconds: the limit for one check.
    """

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self.over = False
        self._process, self._seconds = process, seconds
        self._timer = self._start()

    def again(self) -> None:
        """Starts the limit of the next check."""
        self._timer.cancel()
        self._timer = self._start()

    def stop(self) -> None:
        """Ends the limit."""
        self._timer.cancel()

    def _start(self) -> Timer:
        timer = Timer(self._seconds, self._end)
        timer.daemon = True
        timer.start()
        return timer

    def _end(self) -> None:
        self.over = True
        self._process.kill()
