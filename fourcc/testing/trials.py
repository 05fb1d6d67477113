"""Checks for a test runner: callables with names, which raise AssertionError."""

from __future__ import annotations

from pathlib import Path

import attrs

from fourcc.format import Format
from fourcc.settings import Params
from fourcc.testing.finding import Outcome
from fourcc.testing.plan import CHECKS, Check
from fourcc.testing.subject import Subject


@attrs.frozen(eq=False)
class Trial:
    """One check of one format, as a callable.

    Attributes:
        subject: the format.
        check: the check.
    """

    subject: Subject
    check: Check

    def __str__(self) -> str:
        return f"{self.subject.tag}: {self.check.name}"

    def __call__(self) -> Outcome:
        """Makes the check.

        Raises:
            AssertionError: the check failed; the message is the report.
        """
        outcome = self.check.outcome(self.subject)
        if outcome.status == "failed":
            broken = [str(finding) for finding in outcome.findings if not finding.note]
            raise AssertionError("\n\n".join([f"{self.subject.tag}: {self.check.promise}", *broken]))
        return outcome


def trials(
    fmt: Format,
    *,
    params: Params | None = None,
    options: Params | None = None,
    vectors: Path | None = None,
    target: str | None = None,
) -> list[Trial]:
    """Every check that applies to a format.

    Args:
        fmt: the format; it need not be installed.
        params: parameters of the layout; absent ones have their defaults.
        options: options of the encoder; absent ones have their defaults.
        vectors: the file of its stored bytes; None: ``vectors/TAG.json``, the tag in lower case, beside its module.
        target: ``module:attribute`` for other processes; None: it is searched for.

    Raises:
        ValueError: the format has no such setting, or does not allow the value.
    """
    subject = Subject.of(fmt, params=params, options=options, vectors=vectors, target=target)
    return [Trial(subject, check) for check in CHECKS if check.skipped(subject) is None]
