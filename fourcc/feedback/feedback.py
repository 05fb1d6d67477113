"""How codes are chosen with error feedback."""

from __future__ import annotations

from typing import Literal

import attrs

from fourcc.errors import UsageError

Order = Literal["activity", "columns"]
METHODS, ORDERS = ("gptq",), ("activity", "columns")


@attrs.frozen
class Feedback:
    """The settings of error feedback.

    Attributes:
        method: ``gptq``, the only one.
        damping: what is added to the Hessian's diagonal, as a share of its mean; above 0, at most 1.
        order: of the columns: ``activity`` takes those with the largest squared inputs first, ``columns`` as they are.

    Raises:
        UsageError: a setting is none of these.
    """

    method: str = "gptq"
    damping: float = 0.01
    order: Order = "activity"

    def __attrs_post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError("no such method of error feedback", found=repr(self.method), expected=" or ".join(METHODS))
        if self.order not in ORDERS:
            raise UsageError("no such order of columns", found=repr(self.order), expected=" or ".join(ORDERS))
        if not (isinstance(self.damping, (int, float)) and 0 < self.damping <= 1):
            raise UsageError("bad damping", found=repr(self.damping), expected="above 0, at most 1")


def as_feedback(given: str | Feedback | None) -> Feedback | None:
    """The settings that an argument means: a text is a method, with the other settings as usual. Raises UsageError."""
    return Feedback(given) if isinstance(given, str) else given
