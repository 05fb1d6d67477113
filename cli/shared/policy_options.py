"""The policy that the options --policy, --recipe and --format ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.policy import Policy


def rules_of(file: Path | None, formats: str | None, recipe: str | None = None) -> Policy:
    """The policy; with none of the options, tensors stay as they are stored.

    Raises:
        UsageError: more than one is given, or there is no such recipe.
        PolicyError: it is not a policy.
        OSError: the file cannot be read, be it that there is none: the exit code is that of any other missing file.
    """
    from fourcc.policy import Policy

    if file is not None and formats is None and recipe is None:
        return Policy.read(file)
    return Policy.chosen(policy=file, format=formats, recipe=recipe, prefix="--")
