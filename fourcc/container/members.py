"""Opened files of a container, and the one file that shards make together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import attrs

from fourcc.container.file_runs import Run
from fourcc.container.head_and_tail import read_index
from fourcc.container.index import BlobRecord, Index, PartRecord, TensorRecord
from fourcc.container.layout import HEAD_BYTES, Tail
from fourcc.container.parse import SHARDS
from fourcc.errors import IndexDamageError
from fourcc.files.read import ReadFile

Region = TypeVar("Region", PartRecord, BlobRecord)


@attrs.frozen(eq=False)
class Member:
    """An opened file of a container: a whole one, or a shard."""

    file: ReadFile
    version: tuple[int, int]
    tail: Tail
    index: Index

    @property
    def tensors_end(self) -> int:
        """Offset of what follows the last tensor."""
        return self.index.blobs[0].offset if self.index.blobs else self.tail.index_offset


def open_member(path: Path, stack: ExitStack, fd: int | None = None) -> Member:
    """Opens one file; raises as `read_index` does."""
    file = ReadFile(path, IndexDamageError, fd)
    stack.callback(file.close)
    return Member(file, *read_index(file))


def runs_of(members: Sequence[Member]) -> list[Run]:
    """The tensors of each shard, one after the other, and then the first one's blobs."""
    runs, begin = [], HEAD_BYTES
    for number, member in enumerate(members):
        runs.append(Run(begin, number, HEAD_BYTES))
        begin += member.tensors_end - HEAD_BYTES
    return [*runs, Run(begin, 0, members[0].tensors_end)]


def whole_index(members: Sequence[Member], runs: Sequence[Run] | None = None) -> Index:
    """The index of the one file that shards make."""
    *tensors, blobs = runs_of(members) if runs is None else runs
    first = members[0].index
    return attrs.evolve(
        first,
        tensors=tuple(
            moved
            for member, run in zip(members, tensors, strict=True)
            for moved in shifted_tensors(member.index.tensors, run.begin - run.start)
        ),
        blobs=shifted_blobs(first.blobs, blobs.begin - blobs.start),
        requires=tuple(feature for feature in first.requires if feature != SHARDS),
        shard=None,
    )


def shifted_tensors(tensors: Sequence[TensorRecord], by: int) -> Iterator[TensorRecord]:
    """Records of tensors whose bytes lie elsewhere, all as far from where they lay."""
    for tensor in tensors:
        yield tensor._replace(parts=tuple(_shifted(part, by) for part in tensor.parts)) if by else tensor


def shifted_blobs(blobs: Sequence[BlobRecord], by: int) -> tuple[BlobRecord, ...]:
    """Likewise, of blobs."""
    return tuple(_shifted(blob, by) for blob in blobs)


def _shifted(region: Region, by: int) -> Region:
    return region._replace(offset=region.offset + by)
