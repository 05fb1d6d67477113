"""A stored part of a format, as the argument of its block decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.tracer import Source

Covers = Literal["block", "row", "matrix"]


@dataclass(frozen=True)
class BlockPart:
    """A stored part, as the block decoder's argument.

    Attributes:
        name: of the part.
        dtype: of an entry; fields (name, dtype, entries) of a record.
        count: entries of a block; of a part of the row, or of the whole matrix, all of them.
        covers: what they belong to.
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
    def step(self) -> int:
        """Bytes from a block's entries to those of the next."""
        return self.nbytes if self.covers == "block" else 0

    def row_bytes(self, blocks: int) -> int:
        """Bytes of a row of so many blocks."""
        return self.nbytes if self.covers == "row" else self.step * blocks

    def source(self, index: int) -> Source | Sequence[tuple[str, Source]]:
        """What the decoder sees of it."""
        whole = self.covers == "matrix"
        if isinstance(self.dtype, str):
            return Source(index, self.dtype, self.count, whole=whole)
        if self.count != 1:
            raise UntraceableError(f"part {self.name!r} has {self.count} records where one is expected")
        fields, offset = [], 0
        for name, kind, entries in self.dtype:
            fields.append((name, Source(index, kind, entries, offset, whole=whole)))
            offset += np.dtype(kind).itemsize * entries
        return fields
