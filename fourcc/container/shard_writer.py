"""Writing a model in shards: the writer sees one file, whose bytes are cut between tensors.

A shard takes tensors in their order until the next one would make its tensors, with their padding, longer than the
shard size. A tensor that is longer by itself gets a shard of its own. What counts is what is written, so that a
conversion and `fourcc split` cut alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import attrs

from fourcc.container.file_runs import Run
from fourcc.container.index import Index, PartRecord, ShardRecord, TensorRecord
from fourcc.container.layout import HEAD_BYTES, TAIL_BYTES, Tail, aligned, file_digest, pack_head
from fourcc.container.members import shifted_blobs, shifted_tensors
from fourcc.container.parse import SHARDS
from fourcc.container.writer import TensorWriter, Writer, checked_index
from fourcc.spec import FormatSpec


class ShardCutter:
    """Decides before each tensor whether it begins a shard.

    Args:
        largest: bytes of a shard's tensors.
    """

    def __init__(self, largest: int) -> None:
        self._largest, self._held = largest, 0

    def begins(self, nbytes: int) -> bool:
        """Takes the next tensor, of so many bytes with its padding; whether it does not fit beside those before it."""
        begins = bool(self._held and nbytes) and self._held + nbytes > self._largest
        self._held = nbytes + (0 if begins else self._held)
        return begins


def padded_bytes(parts: Iterable[PartRecord]) -> int:
    """Bytes of a tensor's parts, each with the padding behind it."""
    return sum(aligned(part.nbytes) for part in parts)


class ShardBytes(Protocol):
    """One file of a set that is being written."""

    @property
    def size(self) -> int:
        """The end of the last byte that was written."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`."""

    def end_at(self, nbytes: int) -> None:
        """Gives the file its length."""


class ShardOutput(Protocol):
    """The files of a set that is being written."""

    target: Path

    def next_shard(self) -> ShardBytes:
        """Opens one more file."""

    def name_shards(self, digest: bytes, shards: list[tuple[int, bytes]], homes: Mapping[str, int]) -> None:
        """Takes note of what was written.

        Args:
            digest: the set's id; of a single file its own.
            shards: length and id of each file.
            homes: tensor -> number of its file, from 0.
        """


class _CutFile:
    """Shards as one file, which grows at its end; offsets are those of the whole.

    Attributes:
        target: for messages.
        cuts: number of tensors before each shard.
    """

    def __init__(self, out: ShardOutput, largest: int) -> None:
        self.target = out.target
        self._out, self._cutter = out, ShardCutter(largest)
        self.files = [out.next_shard()]
        self.runs = [Run(HEAD_BYTES, 0, HEAD_BYTES)]
        self.cuts = [0]

    def cut(self, offset: int, nbytes: int, tensors: int) -> None:
        """Begins a shard where the next tensor makes the present one too long."""
        if self._cutter.begins(nbytes):
            self.runs.append(Run(offset, len(self.files), HEAD_BYTES))
            self.cuts.append(tensors)
            self.files.append(self._out.next_shard())

    def end_tensors(self, offset: int) -> None:
        """Lets what follows, the blobs, go to the first shard."""
        self.runs.append(Run(offset, 0, self.length(0, offset)))

    def length(self, number: int, end: int) -> int:
        """The offset at which a shard's tensors end, if all tensors end at `end` in the whole."""
        following = self.runs[number + 1].begin if number + 1 < len(self.files) else end
        return HEAD_BYTES + following - self.runs[number].begin

    def end_at(self, nbytes: int) -> None:
        """Gives the file its length, where it is the only one."""
        self.files[0].end_at(nbytes)

    def run_at(self, offset: int) -> Run:
        """The run that an offset lies in."""
        return self.runs[bisect_right([each.begin for each in self.runs], offset) - 1]

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data`, which lies in one shard."""
        run = self.run_at(offset)
        self.files[run.number].write_at(run.start + offset - run.begin, data)


class ShardWriter(Writer):
    """Writes tensors and blobs into the shards of a set, as `Writer` writes them into one file.

    Args:
        out: the set's files.
        largest: bytes of a shard's tensors.
    """

    def __init__(self, out: ShardOutput, largest: int) -> None:
        self._files, self._set = _CutFile(out, largest), out
        super().__init__(self._files)

        self._is_cut = False  # whether the next tensor has its shard
        self._ahead = False  # whether all tensors have

    def run_at(self, offset: int) -> Run:
        """The run of the shard that an offset of the whole lies in."""
        return self._files.run_at(offset)

    def cut_ahead(self, sizes: Iterable[tuple[int, int]]) -> list[Run]:
        """Opens all shards before tensors are written, and gives each tensor's run.

        Args:
            sizes: where each tensor begins in the whole, and its bytes with the padding.
        """
        runs = []
        for number, (offset, nbytes) in enumerate(sizes):
            self._files.cut(offset, nbytes, number)
            runs.append(self._files.runs[-1])
        self._ahead = True
        return runs

    def _begin(self) -> None:
        """Nothing: each shard gets its head with its index."""

    def tensor(self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]) -> TensorWriter:
        """A writer for the next tensor's parts. One whose length is not yet known waits in a temporary file."""
        parts = super().tensor(name, spec, shape, params)
        parts.wait_for(self._cut)
        return parts

    def copy(self, name: str, parts: Iterable[tuple[PartRecord, Iterable[bytes]]]) -> tuple[PartRecord, ...]:
        """Writes a tensor's parts as another container stores them."""
        listed = list(parts)
        self._cut(padded_bytes(part for part, _ in listed))
        return super().copy(name, listed)

    def add(self, record: TensorRecord) -> None:
        """Enters a tensor into the index; one that was not written now was written by an earlier run."""
        if not (self._is_cut or self._ahead):
            self._cut(padded_bytes(record.parts))
        self._is_cut = False
        super().add(record)

    def _cut(self, nbytes: int) -> None:
        self._is_cut = True
        self._files.cut(self._offset, nbytes, len(self._tensors))

    def blob(self, name: str, data: bytes) -> None:
        """Writes a blob, into the first shard."""
        if not self._blobs:
            self._files.end_tensors(self._offset)
        super().blob(name, data)

    def finish(self, index: Index) -> tuple[bytes, Index]:
        """Writes the indexes and tails; takes, gives and raises what `Writer.finish` does, of the whole."""
        if not self._blobs:
            self._files.end_tensors(self._offset)
        if len(self._files.files) == 1:
            self._files.files[0].write_at(0, pack_head())
            digest, whole = super().finish(index)
            shards = [(self._files.files[0].size, digest)]
        else:
            whole = self._whole(index)
            digest = file_digest(pack_head(), checked_index(whole, self._offset, self._out.target))
            shards = [self._finish_shard(number, whole, digest) for number in range(len(self._files.files))]
        homes = {tensor.name: bisect_right(self._files.cuts, place) - 1 for place, tensor in enumerate(whole.tensors)}
        self._set.name_shards(digest, shards, homes)
        return digest, whole

    def _finish_shard(self, number: int, whole: Index, digest: bytes) -> tuple[int, bytes]:
        """Writes head, index and tail of one shard; gives its length and its id."""
        files, count, file = self._files, len(self._files.files), self._files.files[number]
        first, last = [*files.cuts, len(whole.tensors)][number : number + 2]
        end = files.length(number, files.runs[-1].begin)
        blobs = shifted_blobs(whole.blobs, end - files.runs[-1].begin) if number == 0 else ()
        index = attrs.evolve(
            whole,
            tensors=tuple(shifted_tensors(whole.tensors[first:last], HEAD_BYTES - files.runs[number].begin)),
            blobs=blobs,
            requires=(*whole.requires, SHARDS),
            shard=ShardRecord(number + 1, count, digest),
        )
        end = aligned(blobs[-1].offset + blobs[-1].nbytes) if blobs else end
        packed = checked_index(index, end, self._out.target)
        own = file_digest(pack_head(), packed)
        length = end + len(packed) + TAIL_BYTES
        file.write_at(0, pack_head())
        file.write_at(end, packed)
        file.write_at(length - TAIL_BYTES, Tail(end, len(packed), length, own).pack())
        file.end_at(length)
        return length, own
