"""A stored part of a format, as an argument of its block decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.tracer import TracedPart

Covers = Literal["block", "row", "matrix"]


@dataclass(frozen=True)
class BlockPart:
    """A stored part, as an argument of the block decoder.

    Attributes:
        name: of the part.
        dtype: of an entry; for a record, its fields (name, dtype, entries).
        count: entries of a block; for a part of a row or of the whole matrix, all its entries.
        covers: what these entries belong to.
    """

    name: str
    dtype: str | tuple[tuple[str, str, int], ...]
    count: int
    covers: Covers = "block"

    @property
    def nbytes(self) -> int:
        """Bytes of these entries."""
        if isinstance(self.dtype, str):
            return self.count * np.dtype(self.dtype).itemsize
        return self.count * sum(np.dtype(kind).itemsize * entries for _, kind, entries in self.dtype)

    @property
    def stride(self) -> int:
        """Bytes from one block's entries to those of the next; 0 where the part does not belong to a block."""
        return self.nbytes if self.covers == "block" else 0

    def row_bytes(self, blocks: int) -> int:
        """Bytes of the part in a row of `blocks` blocks."""
        return self.nbytes if self.covers == "row" else self.stride * blocks

    def traced(self, index: int) -> TracedPart | Sequence[tuple[str, TracedPart]]:
        """The part as the tracer takes it; a record as its fields."""
        whole = self.covers == "matrix"
        if isinstance(self.dtype, str):
            return TracedPart(index, self.dtype, self.count, whole=whole)
        if self.count != 1:
            raise UntraceableError(f"part {self.name!r} has {self.count} records where one is expected")
        fields, offset = [], 0
        for name, kind, entries in self.dtype:
            fields.append((name, TracedPart(index, kind, entries, offset, whole=whole)))
            offset += np.dtype(kind).itemsize * entries
        return fields
