"""The whole examination of a format, and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

import attrs

from fourcc.plugins.apart import End
from fourcc.plugins.registry import registry
from fourcc.testing.finding import Outcome
from fourcc.testing.measures import Measure, measure, nearest
from fourcc.testing.order import Fallen
from fourcc.testing.plan import CHECKS, Check
from fourcc.testing.process import LIMIT, MEASURE, Answer, answers, outcome_of
from fourcc.testing.subject import Subject


@attrs.frozen(kw_only=True)
class Report:
    """The result of an examination.

    Attributes:
        tag: the format.
        owner: distribution and version; empty where they are not known.
        target: ``module:attribute``.
        outcomes: the outcomes of all checks, in order.
        measures: the format's own first, then those of the nearest built-in formats; none without an encoder.
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
    subject: Subject,
    checks: Sequence[Check] = CHECKS,
    tick: Callable[[str], None] = lambda _: None,
    *,
    limit: float = LIMIT,
) -> Iterator[Outcome]:
    """The outcomes of checks, in order, as they come; another process makes the checks, if it can import the format.

    A check that stands on one that failed is not made.

    Args:
        subject: the format.
        checks: the checks.
        tick: called with the name of each check before it begins.
        limit: seconds for one check.
    """
    for each in examined(subject, checks, tick, limit=limit):
        if isinstance(each, Outcome):
            yield each


def measured(
    subject: Subject, tick: Callable[[str], None] = lambda _: None, *, limit: float = LIMIT
) -> tuple[Measure, ...]:
    """The format's measures, then those of the nearest built-in formats, made as `examine` makes checks."""
    found = examined(subject, (), tick, measures=measurable(subject), limit=limit)
    return tuple(each for each in found if isinstance(each, Measure))


def measurable(subject: Subject) -> list[str]:
    """The tags of the formats that are measured: the subject's, and the nearest; none where it has no encoder."""
    if subject.format.encode is None or not subject.format.real:
        return []
    return [subject.tag, *(str(other.tag) for other in nearest(subject))]


def examined(
    subject: Subject,
    checks: Sequence[Check],
    tick: Callable[[str], None],
    *,
    measures: Sequence[str] = (),
    limit: float = LIMIT,
) -> Iterator[Measure | Outcome]:
    """Measures of formats, then outcomes of checks, as they come.

    Args:
        subject: the format.
        checks: the checks.
        tick: called with the name of each piece of work before it begins.
        measures: tags of the formats to measure.
        limit: seconds for one check.
    """
    jobs: list[tuple[str, Check | None]] = [(f"{MEASURE} {tag}", None) for tag in measures]
    jobs += [(check.name, check) for check in checks]
    fallen = Fallen()
    for settings, some in groupby(jobs, key=_settings):
        group = dict(some)
        waiting = iter([*group][1:])
        tick(next(iter(group)))
        for name, told in _done(subject, group, dict(settings), limit, fallen):
            yield _read(subject, name, group[name], told, fallen)
            if (after := next(waiting, None)) is not None:
                tick(after)


def _settings(job: tuple[str, Check | None]) -> tuple[tuple[str, str], ...]:
    _, check = job
    return tuple(((check and check.apart) or {}).items())


def _done(
    subject: Subject, jobs: Mapping[str, Check | None], settings: Mapping[str, str], limit: float, fallen: Fallen
) -> Iterator[tuple[str, Answer | End | Measure | Outcome]]:
    """The work of some jobs, by another process if it can import the format, else by this one."""
    if subject.target is not None:
        yield from answers(subject, list(jobs), settings, limit, fallen)
        return
    for name, check in jobs.items():
        if check is None:
            tag = name.removeprefix(f"{MEASURE} ")
            yield name, measure(subject if tag == subject.tag else Subject.of(registry[tag]))
        else:
            yield name, fallen.unmade(check, subject) or check.outcome(subject)


def _read(
    subject: Subject, name: str, check: Check | None, told: Answer | End | Measure | Outcome, fallen: Fallen
) -> Measure | Outcome:
    """An answer as a measure or an outcome; an outcome is counted."""
    if isinstance(told, Measure):
        return told
    if check is None:
        if isinstance(told, End):
            bits = float(subject.format.bits_per_weight(subject.params))
            trouble = f"{told.text}; {told.said}" if told.said else told.text
            return Measure(tag=name.removeprefix(f"{MEASURE} "), bits_per_weight=bits, trouble=trouble)
        return Measure(**told)  # type: ignore[arg-type]  # as the worker wrote it
    outcome = told if isinstance(told, Outcome) else outcome_of(told, name, check.theme)
    fallen.count(outcome)
    return outcome
