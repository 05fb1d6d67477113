"""The worker of `fourcc.testing.process`: reads a job from stdin, makes its checks, writes each outcome as a line."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import attrs

from fourcc.format import Format
from fourcc.plugins.child import imported
from fourcc.plugins.registry import registry
from fourcc.testing.independence import digest
from fourcc.testing.measures import measure
from fourcc.testing.order import Fallen
from fourcc.testing.plan import check_named
from fourcc.testing.process import DIGEST, IMPORT, MEASURE
from fourcc.testing.subject import Subject


def main() -> int:
    """Does the jobs on stdin."""
    with _claimed() as out:
        job = json.load(sys.stdin)
        if job["checks"] == [IMPORT]:
            _tell(out, _imports(str(job["target"])))
            return 0
        subject, fallen = _subject(job), Fallen(job["fallen"])
        with subject.installed():
            for name in job["checks"]:
                _tell(out, _answer(subject, name, fallen))
    return 0


def _answer(subject: Subject, name: str, fallen: Fallen) -> dict[str, object]:
    """The answer to one job: a digest, a measure, or the outcome of a check."""
    kind, _, tag = name.partition(" ")
    if name == DIGEST:
        return {DIGEST: digest(subject)}
    if kind == MEASURE:
        return attrs.asdict(measure(subject if tag == subject.tag else Subject.of(registry[tag])))
    check = check_named(name)
    outcome = fallen.unmade(check, subject) or check.here(subject)
    fallen.count(outcome)
    return attrs.asdict(outcome)


def _claimed() -> TextIO:
    """Reserves stdout for answers: a format's own output goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _tell(out: TextIO, answer: Mapping[str, object]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


def _imports(target: str) -> dict[str, object]:
    """The seconds that importing ``module:attribute`` takes, and what it prints; the registry says why it fails."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as printed:
        kept = os.dup(1)
        os.dup2(printed.fileno(), 1)
        try:
            imported(target)
        except KeyboardInterrupt:
            raise  # it would end a command, too
        except BaseException:  # noqa: BLE001, S110 - SystemExit, too
            pass
        sys.stdout.flush()
        os.dup2(kept, 1)
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    return {"seconds": time.perf_counter() - start, "printed": text}


def _subject(job: Mapping[str, object]) -> Subject:
    fmt = imported(str(job["target"]))
    assert isinstance(fmt, Format)
    params, options, vectors = job["params"], job["options"], job["vectors"]
    assert isinstance(params, dict)
    assert isinstance(options, dict)
    path = None if vectors is None else Path(str(vectors))
    return Subject.of(fmt, params=params, options=options, vectors=path, target=str(job["target"]))


if __name__ == "__main__":
    sys.exit(main())
