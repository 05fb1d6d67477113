"""The whole examination of a format, and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import attrs

from fourcc.testing.finding import Outcome
from fourcc.testing.measures import Measure, measure, nearest
from fourcc.testing.plan import CHECKS, Check
from fourcc.testing.process import outcomes_apart
from fourcc.testing.subject import Subject


@attrs.frozen(kw_only=True)
class Report:
    """The result of an examination.

    Attributes:
        tag: the format.
        owner: distribution and version; empty where they are not known.
        target: ``module:attribute``.
        outcomes: the outcomes of all checks, in order.
        measures: the format's own measures first, then those of the nearest built-in formats; none where it failed.
    """

    tag: str
    owner: str
    target: str
    outcomes: tuple[Outcome, ...]
    measures: tuple[Measure, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The outcomes of the checks that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


def examine(
    subject: Subject, checks: Sequence[Check] = CHECKS, tick: Callable[[str], None] = lambda _: None
) -> Iterator[Outcome]:
    """The outcomes of checks, in order, as they come; another process makes the checks, if it can import the format.

    Args:
        subject: the format.
        checks: the checks.
        tick: called with the name of each check before it begins.
    """
    for settings, some in groupby(checks, key=lambda check: tuple((check.apart or {}).items())):
        group = list(some)
        if subject.target is None:
            for check in group:
                tick(check.name)
                yield check.outcome(subject)
            continue
        names = [(check.name, check.theme) for check in group]
        tick(names[0][0])
        for done, outcome in enumerate(outcomes_apart(subject, names, dict(settings)), 1):
            yield outcome
            if done < len(names):
                tick(names[done][0])


def measured(subject: Subject, tick: Callable[[str], None] = lambda _: None) -> tuple[Measure, ...]:
    """The format's measures, then those of the nearest built-in formats. Raises as `measure` does."""
    measures = []
    for each in (subject, *(Subject.of(other) for other in nearest(subject))):
        tick(each.tag)
        measures.append(measure(each))
    return tuple(measures)
