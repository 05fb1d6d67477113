"""The result of an export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs

from fourcc.conversion.measured_errors import lost

if TYPE_CHECKING:
    from fourcc.container.index import ErrorRecord


@attrs.frozen
class ExportResult:
    """The result of an export.

    Attributes:
        path: the file.
        beside: further files that were written.
        errors: the errors of every tensor that was encoded, by its name in the file.
        resumed: notes on unfinished work that was gone on with.
        shards: the files that the output was cut into, `path` the first; empty where it is one, or a folder.
    """

    path: Path
    beside: tuple[Path, ...]
    errors: Mapping[str, ErrorRecord]
    resumed: tuple[str, ...] = ()
    shards: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls,
        target: Path,
        shards: Iterable[str],
        beside: Iterable[Path],
        errors: Mapping[str, ErrorRecord],
        resumed: Iterable[str] = (),
    ) -> Self:
        """The result of writing to a path; shards lie beside it, under names of their own."""
        paths = tuple(target.with_name(name) for name in shards)
        return cls(paths[0] if paths else target, tuple(beside), errors, tuple(resumed), paths)

    @property
    def notes(self) -> list[str]:
        """Notes on unfinished work, and on tensors whose error is so large that hardly anything is left of them."""
        return [*self.resumed, *lost(self.errors)]
