"""What a check says: a finding, written for the person who has to act on it."""

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
        tried: what was done when it showed.
        found: what came of it.
        expected: what should have.
        cause: what it most likely comes from.
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
        """Label and text of each field that says something."""
        fields = ("tried", "found", "expected", "cause", "advice")
        labels = ("tried", "found", "expected", "likely cause", "what to do")
        pairs = zip(labels, (getattr(self, name) for name in fields), strict=True)
        return [("noted" if self.note else "breach", self.what), *((label, text) for label, text in pairs if text)]

    def __str__(self) -> str:
        return "\n".join(f"{label}: {text}" for label, text in self.lines)


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: its name.
        theme: the group that it belongs to.
        findings: none where all is well.
        skipped: why it was not made, or None.
        seconds: that it took.
    """

    check: str
    theme: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """In a word."""
        if self.skipped is not None:
            return "skipped"
        if any(not finding.note for finding in self.findings):
            return "failed"
        return "noted" if self.findings else "passed"


class FoundError(Exception):
    """A check cannot go on for what it found; never leaves this room."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def attempt(call: Callable[[], T], *, tried: str, cause: str = "", advice: str = "") -> T:
    """The result of a call into a format.

    Args:
        call: the call.
        tried: what it does, for the finding.
        cause: what a failure most likely comes from.
        advice: what to do then.

    Raises:
        FoundError: whatever it raised, as a finding.
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
    """The finding for an exception; where the format itself raised it, with the line of its source."""
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
    """File and line of the last frame that is not fourcc's own nor numpy's."""
    place, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith(("fourcc.", "numpy", "numba")) or module.startswith("fourcc.formats."):
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
