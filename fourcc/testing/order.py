"""The order of dependence: a check is not made where one that it stands on has failed, so that one fault fails once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fourcc.testing.finding import Outcome
from fourcc.testing.subject import Subject


class Stands(Protocol):
    """A check, as far as the order of dependence goes; see `fourcc.testing.plan.Check`."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def theme(self) -> str:
        """The group that it belongs to."""

    @property
    def ground(self) -> tuple[str, ...]:
        """Names of the checks that it stands on."""

    def skipped(self, subject: Subject) -> str | None:
        """Why the check does not apply, or None."""


class Fallen:
    """The checks that failed, and those that were not made because of them.

    Args:
        roots: check -> the failed check that is the reason; of an examination that goes on in another process.
    """

    def __init__(self, roots: Mapping[str, str] | None = None) -> None:
        self.roots = dict(roots or {})

    def unmade(self, check: Stands, subject: Subject) -> Outcome | None:
        """The outcome of a check that stands on a failed one; None where the check is to be made, or does not apply."""
        root = next((self.roots[name] for name in check.ground if name in self.roots), None)
        if root is None or check.skipped(subject) is not None:
            return None
        return Outcome(check=check.name, theme=check.theme, skipped=f"not made: {root} failed", after=root)

    def count(self, outcome: Outcome) -> None:
        """Remembers an outcome."""
        if outcome.status == "failed":
            self.roots[outcome.check] = outcome.check
        elif outcome.after is not None:
            self.roots[outcome.check] = outcome.after
