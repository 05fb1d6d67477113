"""The error for a tensor's name that a file does not have, alike for every kind of file."""

from __future__ import annotations

from collections.abc import Iterable

from fourcc.errors import MissingTensorError


def missing_tensor(name: object, known: Iterable[str], file: object) -> MissingTensorError:
    """The error for a name that no tensor has; its hint offers the nearest names.

    Args:
        name: the name that was asked for.
        known: names of all tensors.
        file: where they were looked for.
    """
    from fourcc.policy.places import nearest

    hint = (isinstance(name, str) and nearest(name, known, 3)) or "`fourcc inspect` lists the names."
    return MissingTensorError(f"no tensor is named {name!r}", file=file, hint=hint[:1].upper() + hint[1:])
