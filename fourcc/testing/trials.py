"""Checks for a test runner: callables with names, which raise AssertionError."""

from __future__ import annotations

from pathlib import Path
from unittest import SkipTest

import attrs

from fourcc.format import Format
from fourcc.settings import Params
from fourcc.testing.finding import Outcome
from fourcc.testing.order import Fallen
from fourcc.testing.plan import CHECKS, Check, check_named
from fourcc.testing.subject import Subject


@attrs.frozen(eq=False)
class Trial:
    """One check of one format, as a callable.

    Attributes:
        subject: the format.
        check: the check.
        made: the outcomes so far, by name, which all trials of a format share.
    """

    subject: Subject
    check: Check
    made: dict[str, Outcome] = attrs.field(factory=dict, repr=False)

    def __str__(self) -> str:
        return f"{self.subject.tag}: {self.check.name}"

    def __call__(self) -> Outcome:
        """Makes the check, after those that it stands on.

        Raises:
            AssertionError: the check failed; the message is the report.
            unittest.SkipTest: one that it stands on failed, which that one's own trial reports.
        """
        outcome = self._outcome(self.check)
        if outcome.after is not None:
            raise SkipTest(outcome.skipped or "")
        if outcome.status == "failed":
            broken = [str(finding) for finding in outcome.findings if not finding.note]
            raise AssertionError("\n\n".join([f"{self.subject.tag}: {self.check.promise}", *broken]))
        return outcome

    def _outcome(self, check: Check) -> Outcome:
        if check.name not in self.made:
            fallen = Fallen()
            for name in check.ground:
                fallen.count(self._outcome(check_named(name)))
            self.made[check.name] = fallen.unmade(check, self.subject) or check.outcome(self.subject)
        return self.made[check.name]


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
    made: dict[str, Outcome] = {}
    return [Trial(subject, check, made) for check in CHECKS if check.skipped(subject) is None]
