"""The stored parts of a unit, some neighbouring blocks that are decoded at once, and how the decoder takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.ir import Trace, UntraceableError
from fourcc.kernels.fusing.sources import TracedPart
from fourcc.kernels.fusing.tracer import TracedArgument

Owner = Literal["block", "row", "matrix", "column"]


@dataclass(frozen=True)
class FieldsPart:
    """Records of a block whose fields the block decoder takes one by one.

    Attributes:
        name: of the part.
        fields: in order, without gaps.
    """

    name: str
    fields: tuple[BlockPart, ...]


@dataclass(frozen=True)
class ColumnsPart:
    """A part of the columns, which all rows share.

    Attributes:
        part: the entries of a block's columns.
    """

    part: BlockPart


DecoderPart = BlockPart | FieldsPart | ColumnsPart


@dataclass(frozen=True)
class StoredPart:
    """A part as it lies in memory.

    Attributes:
        name: of the part.
        owner: what `nbytes` belong to; of a block: to a unit.
        nbytes: of a unit, or of all that a row or the matrix has.
        arguments: of the block decoder.
    """

    name: str
    owner: Owner
    nbytes: int
    arguments: tuple[TracedArgument, ...]

    @property
    def stride(self) -> int:
        """Bytes from one unit of a row to the next; 0 where the part does not belong to a block."""
        return self.nbytes if self.owner == "block" else 0

    def row_bytes(self, units: int) -> int:
        """Bytes of the part in a row of so many units."""
        return self.nbytes if self.owner == "row" else self.stride * units


def stored(part: DecoderPart, index: int, blocks: int) -> StoredPart:
    """A part of a unit of `blocks` blocks.

    Args:
        part: of one block.
        index: the part's number.
        blocks: of a unit.

    Raises:
        UntraceableError: packed codes of a unit do not fill whole bytes.
    """
    if isinstance(part, FieldsPart):
        return _record(part, index, blocks)
    if isinstance(part, ColumnsPart):
        one = part.part.traced(index)
        assert isinstance(one, TracedPart)
        moving = replace(one, whole=True, stride=part.part.nbytes)
        return StoredPart(part.part.name, "column", part.part.nbytes * blocks, (moving,))
    return StoredPart(part.name, part.covers, part.of(blocks).nbytes, (part.traced(index),))


def _record(part: FieldsPart, index: int, blocks: int) -> StoredPart:
    size, offset, arguments = sum(_size(field) for field in part.fields), 0, list[TracedArgument]()
    for field in part.fields:
        if field.packing is not None and blocks > 1:
            raise UntraceableError(f"part {part.name!r}: codes of several blocks do not follow each other")
        one = field.traced(index)
        assert isinstance(one, TracedPart)
        arguments.append(replace(one, offset=offset, stride=size))
        offset += _size(field)
    return StoredPart(part.name, "block", size * blocks, tuple(arguments))


def _size(field: BlockPart) -> int:
    """Bytes of a field; a started byte counts whole."""
    return field.nbytes if field.packing is None else field.packing.nbytes(field.count)


def tables_of(trace: Trace, parts: Sequence[StoredPart]) -> dict[int, tuple[str, int]]:
    """Dtype and number of entries, by part, of the parts that a value indexes.

    Raises:
        UntraceableError: a value indexes a part of the columns.
    """
    tables = {}
    for part, dtype, count, _ in (each.arguments for each in trace.instructions if each.name == "part_table"):
        if parts[part].owner == "column":
            raise UntraceableError(f"an entry of part {parts[part].name!r} of the columns is chosen by a value")
        tables[part] = (dtype, count)
    return tables
