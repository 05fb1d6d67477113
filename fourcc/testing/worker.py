"""The worker of `fourcc.testing.process`: reads a job from stdin, makes its checks, writes each outcome as a line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import attrs

from fourcc.format import Format
from fourcc.plugins.child import imported
from fourcc.testing.independence import digest
from fourcc.testing.plan import check_named
from fourcc.testing.process import DIGEST
from fourcc.testing.subject import Subject


def main() -> int:
    """Makes the checks of the job on stdin."""
    with _claimed() as out:
        job = json.load(sys.stdin)
        subject = _subject(job)
        with subject.installed():
            for name in job["checks"]:
                _tell(out, {DIGEST: digest(subject)} if name == DIGEST else _checked(subject, name))
    return 0


def _claimed() -> TextIO:
    """Reserves stdout for answers: a format's own output goes to stderr."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def _tell(out: TextIO, answer: Mapping[str, object]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


def _checked(subject: Subject, name: str) -> dict[str, object]:
    outcome = check_named(name).here(subject)
    return attrs.asdict(outcome)


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
