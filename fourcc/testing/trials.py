"""Checks as a test runner takes them: callables with names, which raise AssertionError."""

from __future__ import annotations

from pathlib import Path

import attrs

from fourcc.format import Format
from fourcc.spec import Params
from fourcc.testing.finding import Outcome
from fourcc.testing.plan import CHECKS, Check
from fourcc.testing.subject import Subject


@attrs.frozen(eq=False)
class Trial:
    """One check of one format, to be called.

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
            AssertionError: it failed; the message is the report.
        """
        outcome = self.check.outcome(self.subject)
        if outcome.status == "failed":
            broken = [str(finding) for finding in outcome.findings if not finding.note]
            raise AssertionError("\n\n".join([f"{self.subject.tag}: {self.check.promise}", *broken]))
        return outcome


def trials(
    found: Format,
    *,
    params: Params | None = None,
    options: Params | None = None,
    vectors: Path | None = None,
    target: str | None = None,
) -> list[Trial]:
    """Every check that applies to a format.

    Args:
        found: the format; it need not be installed.
        params: parameters of the layout; defaults where silent.
        options: options of the encoder; defaults where silent.
        vectors: the file of its stored bytes; None: ``vectors/TAG.json``, the tag in lower case, beside its module.
        target: ``module:attribute`` where other processes find it; None: it is looked for.

    Raises:
        ValueError: a setting that the format does not have, or a value that it does not allow.
    """
    subject = Subject.of(found, params=params, options=options, vectors=vectors, target=target)
    return [Trial(subject, check) for check in CHECKS if check.skipped(subject) is None]
