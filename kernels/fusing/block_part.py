"""A stored part of a format, as an argument of its block decoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.packed_codes import PackedCodes
from fourcc.kernels.fusing.sources import TracedPart
from fourcc.kernels.fusing.tracer import TracedArgument

Covers = Literal["block", "row", "matrix"]


@dataclass(frozen=True)
class BlockPart:
    """A stored part, as an argument of the block decoder.

    Attributes:
        name: of the part.
        dtype: of an entry; for a record, its fields (name, dtype, entries).
        count: entries of a block; for a part of a row or of the whole matrix, all its entries. Of packed codes, these.
        covers: what these entries belong to.
        scalar: whether the decoder takes the part's only entry itself, not a sequence of one.
        packing: how codes are packed into bytes; None: entries are plain numbers.
    """

    name: str
    dtype: str | tuple[tuple[str, str, int], ...]
    count: int
    covers: Covers = "block"
    scalar: bool = False
    packing: PackedCodes | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of these entries.

        Raises:
            UntraceableError: the codes of a block do not fill whole bytes.
        """
        if self.packing is not None:
            if self.covers == "block" and not self.packing.is_whole(self.count):
                raise UntraceableError(f"part {self.name!r}: its {self.count} codes of a block fill no whole bytes")
            return self.packing.nbytes(self.count)
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

    def of(self, blocks: int) -> BlockPart:
        """The part as stored of a unit of so many neighbouring blocks."""
        return replace(self, count=self.count * blocks) if self.covers == "block" else self

    def traced(self, index: int) -> TracedArgument:
        """The part as the tracer takes it; a record as its fields.

        Raises:
            UntraceableError: a block has several records, a scalar part several entries; the matrix's is packed.
        """
        if self.packing is not None and self.covers == "matrix":
            raise UntraceableError(f"part {self.name!r} of the whole matrix is packed")
        if isinstance(self.dtype, str):
            if self.scalar and self.count != 1:
                raise UntraceableError(f"part {self.name!r} has {self.count} entries where one is expected")
            return self._field(index, self.dtype, self.count, self.name, 0)
        if self.count != 1:
            raise UntraceableError(f"part {self.name!r} has {self.count} records where one is expected")
        fields, offset = [], 0
        for name, kind, entries in self.dtype:
            fields.append((name, self._field(index, kind, entries, f"{self.name}[{name!r}]", offset)))
            offset += np.dtype(kind).itemsize * entries
        return fields

    def _field(self, index: int, dtype: str, count: int, name: str, offset: int) -> TracedPart:
        packed, shared = self.packing is not None, self.covers != "block"
        return TracedPart(
            index,
            dtype,
            count,
            offset,
            whole=self.covers == "matrix",
            name=name,
            stride=0 if packed else self.stride,
            scalar=self.scalar and count == 1,
            packing=self.packing,
            shared=shared,
        )
