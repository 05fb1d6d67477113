"""Weights that a kernel has a copy of need not stay in memory as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.compute import is_copied
from fourcc.plugins.registry import registry

if TYPE_CHECKING:
    from fourcc.container.reader import ModelFile


def let_go_of_copied(model: ModelFile, name: str) -> None:
    """Lets go of a stored tensor where its kernel has a copy, so that it is not in memory twice."""
    record = model.record(name)
    if is_copied(registry[record.tag], record.params):
        model.let_go(name)
