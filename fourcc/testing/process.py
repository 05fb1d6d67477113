"""Makes checks in other processes: a check that crashes or never ends gives a finding."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from threading import Timer

from fourcc.plugins.apart import End, end_group, ending, last_words, start, tell
from fourcc.testing.finding import Finding, FoundError, Outcome
from fourcc.testing.order import Fallen
from fourcc.testing.subject import Subject

LIMIT = 120.0  # seconds for one check; kernels and encoders that run uncompiled are slow
MEASURING = 20.0  # seconds for the measures of one format
GRACE = 2.0  # seconds in which a process that took too long tells where it is
DIGEST, IMPORT, MEASURE = "digest", "import", "measure"  # jobs that are no checks; of a measure, the tag follows
Answer = Mapping[str, object]

SILENT = End("it ended without an answer", "")


def outcomes_apart(
    subject: Subject,
    checks: Sequence[tuple[str, str]],
    settings: Mapping[str, str],
    limit: float = LIMIT,
    fallen: Fallen | None = None,
) -> Iterator[Outcome]:
    """The outcomes of checks that another process makes; after a crash a new process goes on with the rest.

    Args:
        subject: a subject that has a target.
        checks: name and theme of each check.
        settings: environment variables.
        limit: seconds for one check.
        fallen: checks that failed before; the outcomes are added.
    """
    fallen = Fallen() if fallen is None else fallen
    themes = dict(checks)
    for name, told in answers(subject, list(themes), settings, limit, fallen):
        outcome = outcome_of(told, name, themes[name])
        fallen.count(outcome)
        yield outcome


def answers(
    subject: Subject, names: Sequence[str], settings: Mapping[str, str], limit: float, fallen: Fallen
) -> Iterator[tuple[str, Answer | End]]:
    """The answer to each job of another process, or its end; after a crash a new process goes on with the rest."""
    rest = list(names)
    while rest:
        end = SILENT
        for told in _lines(_job(subject, rest, fallen), settings, limit):
            if isinstance(told, End):
                end = told
                break
            yield rest.pop(0), told
        if rest:
            yield rest.pop(0), end


def digest_apart(subject: Subject, settings: Mapping[str, str]) -> str:
    """The result of `independence.digest` in another process. Raises FoundError where the process dies."""
    ((_, told),) = answers(subject, [DIGEST], settings, LIMIT, Fallen())
    if isinstance(told, End):
        raise FoundError(crash("the same weights, encoded in another process", told))
    return str(told[DIGEST])


def import_apart(target: str, limit: float = LIMIT) -> Answer | Finding:
    """The answer of another process to importing ``module:attribute``: seconds, and what was printed.

    A finding where the import kills the process, or does not end; not where it raises.

    Args:
        target: the module and its attribute.
        limit: seconds that the import may take.
    """
    told = next(_lines({"target": target, "checks": [IMPORT]}, {}, limit), SILENT)
    return crash(f"import {target}", told) if isinstance(told, End) else told


def crash(name: str, end: End) -> Finding:
    """The finding for a process that ended before it was done."""
    what, cause, advice = next(reason for sign, reason in ENDINGS if end.slow or sign in end.text)
    return Finding(
        what=what,
        tried=f"{name}, in a process of its own",
        found=str(end),
        expected="weights, or an exception",
        cause=cause,
        advice=advice,
    )


# A text in the ending -> what happened, its most likely cause, and what to do; the first is for what took too long.
ENDINGS = (
    (
        "\0",
        ("it does not end", "an endless loop, or a search that grows too fast", "Bound the loop; look where it was."),
    ),
    (
        "exit code",
        (
            "the process ended",
            "the format ends the process itself: os._exit, or a library that does",
            "Raise an exception instead.",
        ),
    ),
    (
        "SIGKILL",
        ("the process was killed", "the system had no memory left", "Work on the blocks given, some at a time."),
    ),
    (
        "",
        (
            "the process died",
            "the format reads or writes memory that is not its own (compiled code, ctypes or as_strided beyond a part)",
            "Check lengths and indices against the parts' shapes before compiled code sees them.",
        ),
    ),
)


def outcome_of(told: Answer | End, name: str, theme: str) -> Outcome:
    """The outcome of a check from the answer of another process, or from its end."""
    if isinstance(told, End):
        return Outcome(check=name, theme=theme, findings=(crash(name, told),))
    findings = told["findings"]
    assert isinstance(findings, list)
    fields = {name: told[name] for name in ("check", "theme", "skipped", "after", "seconds")}
    return Outcome(**fields, findings=tuple(Finding(**each) for each in findings))  # type: ignore[arg-type]  # as the worker wrote them


def _job(subject: Subject, names: Sequence[str], fallen: Fallen) -> Answer:
    """A worker's job."""
    return {
        "target": subject.target,
        "params": dict(subject.params),
        "options": dict(subject.options),
        "vectors": None if subject.vectors is None else str(subject.vectors),
        "checks": list(names),
        "fallen": fallen.roots,
    }


def _lines(job: Answer, settings: Mapping[str, str], limit: float) -> Iterator[Answer | End]:
    """A worker's answers, one object from each line; an `End` where the worker ends before it has given all."""
    names: list[str] = list(job["checks"])  # type: ignore[call-overload]  # a list, see `_job`
    left = len(names)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = start("fourcc.testing.worker", settings, said)
        assert process.stdout is not None
        tell(process, job)
        slow = _Limit(process, _seconds(names[0], limit))
        try:
            for line in process.stdout:
                left -= 1
                slow.again(_seconds(names[-left], limit) if left else limit)
                yield json.loads(line)
            code = process.wait()
        finally:
            slow.stop()
            end_group(process)
        if left:
            said.seek(0)
            text = f"it did not end within {slow.seconds:g} seconds" if slow.over else ending(code)
            yield End(text, last_words(said.read()), slow=slow.over)


def _seconds(name: str, limit: float) -> float:
    return min(limit, MEASURING) if name.startswith(MEASURE) else limit


class _Limit:
    """Kills a process that takes too long over one check.

    Args:
        process: the process.
        seconds: the limit for one check.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.over, self.seconds = False, seconds
        self._process = process
        self._timer = self._start()

    def again(self, seconds: float) -> None:
        """Starts the limit of the next check."""
        self._timer.cancel()
        self.seconds = seconds
        self._timer = self._start()

    def stop(self) -> None:
        """Ends the limit."""
        self._timer.cancel()

    def _start(self) -> Timer:
        timer = Timer(self.seconds, self._end)
        timer.daemon = True
        timer.start()
        return timer

    def _end(self) -> None:
        """Asks the process where it is, by a signal on which Python tells its frames, and kills it."""
        self.over = True
        if sys.platform != "win32":
            self._process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
        self._process.kill()
