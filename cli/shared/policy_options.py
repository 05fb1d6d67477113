"""The policy that the options --policy, --recipe and --format ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.policy import Policy


def rules_of(file: Path | None, formats: str | None, recipe: str | None = None) -> Policy:
    """The policy; with none of them, tensors stay as they are stored.

    Raises:
        UsageError: more than one is given, or there is something wrong with one.
    """
    from fourcc.policy import Policy

    given = {"--policy": file, "--format": formats, "--recipe": recipe}
    both = [option for option, value in given.items() if value is not None]
    if len(both) > 1:
        hint = "`fourcc policy show --recipe NAME` prints a recipe to start a policy from."
        if recipe is None:
            hint = "A rule of the policy can have a fallback."
        raise UsageError(f"{' and '.join(both)} exclude each other", hint=hint)
    if file is not None:
        return Policy.read(file)
    if recipe is not None:
        return Policy.recipe(recipe)
    return Policy.keep() if formats is None else Policy.shorthand(formats)
