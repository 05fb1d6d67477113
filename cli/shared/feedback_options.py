"""The settings of error feedback that options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.feedback.feedback import Feedback


def feedback_of(method: str | None, damping: float | None) -> Feedback | None:
    """The settings; None where there is to be no feedback. Raises UsageError for settings that cannot be."""
    from fourcc.feedback.feedback import Feedback

    if method is None and damping is not None:
        raise UsageError("--damping goes with --feedback")
    if method is None or method == "none":
        return None
    return Feedback(method) if damping is None else Feedback(method, damping)


def feedback_choice(method: str | None, damping: float | None) -> str | Feedback | None:
    """The settings as `fourcc.quantize` takes them: None says nothing, ``none`` asks for none. Raises UsageError."""
    if method is None or method == "none":
        return feedback_of(None, damping) or method
    return feedback_of(method, damping)
