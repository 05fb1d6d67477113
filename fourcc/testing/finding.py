"""Findings of checks, written for the person who has to act on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import attrs

from fourcc.errors import FourccError

T = TypeVar("T")
Status = Literal["passed", "noted", "failed", "skipped"]


@attrs.frozen(kw_only=True)
class Finding:
    """One breach of the contract, or something worth knowing.

    Attributes:
        what: the breach, in a sentence.
        tried: the action that showed it.
        found: the result of the action.
        expected: the result that it should have had.
        cause: the most likely cause.
        advice: what to do.
        note: whether it breaks nothing, and is only worth knowing.
    """

    what: str
    tried: str = ""
    found: str = ""
    expected: str = ""
    cause: str = ""
    advice: str = ""
    note: bool = False

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each field that is not empty."""
        fields = ("tried", "found", "expected", "cause", "advice")
        labels = ("tried", "found", "expected", "likely cause", "what to do")
        pairs = zip(labels, (getattr(self, name) for name in fields), strict=True)
        return [("noted" if self.note else "breach", self.what), *((label, text) for label, text in pairs if text)]

    def __str__(self) -> str:
        return "\n".join(f"{label}: {text}" for label, text in self.lines)


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of one check.

    Attributes:
        check: the name of the check.
        theme: the group that it belongs to.
        findings: the findings; none where all is well.
        skipped: why the check was not made, or None.
        seconds: the time that it took.
    """

    check: str
    theme: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """The outcome in a word."""
        if self.skipped is not None:
            return "skipped"
        if any(not finding.note for finding in self.findings):
            return "failed"
        return "noted" if self.findings else "passed"


class FoundError(Exception):
    """A check cannot go on after this finding; the kit catches it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def attempt(call: Callable[[], T], *, tried: str, cause: str = "", advice: str = "") -> T:
    """The result of a call into a format.

    Args:
        call: the call.
        tried: the action, for the finding.
        cause: the most likely cause of a failure.
        advice: what to do after a failure.

    Raises:
        FoundError: the call raised; the finding says what.
    """
    try:
        return call()
    except FoundError:
        raise
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        raise FoundError(raised(error, tried=tried, cause=cause, advice=advice)) from error


def raised(error: BaseException, *, tried: str, cause: str = "", advice: str = "") -> Finding:
    """The finding for an exception, with the line of the source where the format itself raised it."""
    place = _place(error.__cause__ or error)
    if isinstance(error, FourccError):
        what, found = error.what, "" if error.found is None else str(error.found)
        expected = "" if error.expected is None else str(error.expected)
        advice = advice or error.hint or ""
    else:
        what, found, expected = "an exception came out of it", f"{type(error).__name__}: {error}", ""
    return Finding(
        what=what,
        tried=tried,
        found=f"{found}, raised at {place}" if place else found,
        expected=expected,
        cause=cause,
        advice=advice,
    )


def _place(error: BaseException) -> str:
    """File and line of the last frame that is neither fourcc's own nor numpy's."""
    place, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith(("fourcc.", "numpy", "numba")) or module.startswith("fourcc.formats."):
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
