"""The result of an export: its files, and how much its tensors lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.conversion.measured_errors import lost

if TYPE_CHECKING:
    from fourcc.container.index import ErrorRecord, TensorRecord
    from fourcc.conversion.pipeline import Step


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

    @property
    def notes(self) -> list[str]:
        """Notes on unfinished work, and on tensors whose error is so large that hardly anything is left of them."""
        return [*self.resumed, *lost(self.errors)]


def encoding_errors(steps: Iterable[Step], records: Iterable[TensorRecord]) -> dict[str, ErrorRecord]:
    """The errors of the tensors that were encoded, by their names in the file; a record for each step."""
    encoded = (record for step, record in zip(steps, records, strict=True) if not step.decision.keep)
    return {record.name: record.error for record in encoded if record.error is not None}
