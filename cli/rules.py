"""What the options --policy and --format say of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.policy import Policy


def rules_of(file: Path | None, formats: str | None) -> Policy:
    """The policy; without either, tensors stay as they are stored.

    Raises:
        UsageError: both are given, or there is something wrong with one.
    """
    from fourcc.policy import Policy

    if file is not None and formats is not None:
        raise UsageError("--policy and --format exclude each other", hint="A rule of the policy can have a fallback.")
    if file is not None:
        return Policy.read(file)
    return Policy.keep() if formats is None else Policy.shorthand(formats)
