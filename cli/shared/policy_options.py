"""The policy that the options --policy, --recipe and --format ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.policy import Policy


def rules_of(file: Path | None, formats: str | None, recipe: str | None = None) -> Policy:
    """The policy; with none of the options, tensors stay as they are stored. Raises as `Policy.chosen` does."""
    from fourcc.policy import Policy

    return Policy.chosen(policy=file, format=formats, recipe=recipe, prefix="--")
