"""Findings of checks, written for the person who has to act on them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Literal, TypeVar

import attrs
import numpy as np

from fourcc.errors import FourccError, shown

T = TypeVar("T")
Status = Literal["passed", "noted", "failed", "skipped"]
NOT_THEIRS = frozenset({"fourcc", "numpy", "numba", "llvmlite", *sys.stdlib_module_names})  # top-level modules


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
        after: the check whose failure is the reason: this one would only have repeated it.
        seconds: the time that it took.
    """

    check: str
    theme: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None
    after: str | None = None
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
    except (FoundError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise FoundError(raised(error, tried=tried, cause=cause, advice=advice)) from error


# An exception of the format -> its most likely cause, and what to do.
REASONS: tuple[tuple[type[BaseException], str, str, str], ...] = (
    (SystemExit, "", "it ends the process: sys.exit(), exit() or a command line's parser", "Raise nothing; return."),
    (MemoryError, "", "it asks for more memory than there is", "Work on the blocks given, some at a time."),
    (ValueError, "read-only", "it writes to what it is given: weights and parts are read-only", "Work on a copy."),
    (KeyError, "", "it asks for a part or a setting that the format does not declare", ""),
    (RecursionError, "", "it calls itself without end", ""),
)


def raised(error: BaseException, *, tried: str, cause: str = "", advice: str = "") -> Finding:
    """The finding for an exception, with the line of the source where the format itself raised it."""
    root = error.__cause__ or error
    place = _place(root)
    for kind, sign, why, remedy in REASONS:
        if isinstance(root, kind) and sign in shown(root):
            cause, advice = why, remedy or advice
            break
    if isinstance(error, FourccError):
        what, found = error.what, "" if error.found is None else shown(error.found)
        expected = "" if error.expected is None else shown(error.expected)
        advice = advice or error.hint or ""
    else:
        what, found, expected = "an exception came out of it", f"{type(error).__name__}: {shown(error)}", ""
    return Finding(
        what=what,
        tried=tried,
        found=f"{found}, raised at {place}" if place else found,
        expected=expected,
        cause=cause,
        advice=advice,
    )


def shown_kind(value: object) -> str:
    """Shape and dtype of an array, or the type of something else."""
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def defined(function: object) -> str:
    """The place where a function of a format begins, ``file:line``; empty where it is no Python."""
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _place(error: BaseException) -> str:
    """File and line of the last frame that is the format's own: not fourcc's, numpy's or of Python's library."""
    place, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.startswith("fourcc.formats.") or module.partition(".")[0] not in NOT_THEIRS:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
