"""Writing a container in one pass, tensor by tensor; the bytes of a part are written as soon as they are known."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from math import prod
from pathlib import Path
from typing import IO, Protocol
from unicodedata import normalize

import attrs

from fourcc.arrays import Parts
from fourcc.container.index import BlobRecord, Index, PartRecord, TensorRecord, pack_index
from fourcc.container.layout import (
    HEAD_BYTES,
    INDEX_CAP,
    TAIL_BYTES,
    PartSummer,
    Tail,
    aligned,
    file_digest,
    pack_head,
)
from fourcc.container.parse import parse_index
from fourcc.dtypes import itemsize
from fourcc.errors import OutputError, TableError
from fourcc.part import Part
from fourcc.parts import PartsPlacer
from fourcc.spec import FormatSpec

COPY_BYTES = 1 << 20


class ContainerOutput(Protocol):
    """The bytes that a writer writes: those of a file, or of several."""

    target: Path

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`; bytes that are skipped read as zero."""

    def end_at(self, nbytes: int) -> None:
        """Gives the file its length."""


class Writer:
    """Writes tensors and blobs into an open output, in order.

    Args:
        out: the output, which is open.
    """

    def __init__(self, out: ContainerOutput) -> None:
        self._out = out
        self._offset = HEAD_BYTES
        self._tensors: list[TensorRecord] = []
        self._blobs: list[BlobRecord] = []
        self._begin()

    def _begin(self) -> None:
        """Writes the head."""
        self._out.write_at(0, pack_head())

    def tensor(self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]) -> TensorWriter:
        """A writer for the next tensor's parts; its records go into `add`. Raises TableError where the name is bad."""
        _check_text(name)
        return TensorWriter(self._out, self._offset, name, spec, shape, params)

    def add(self, record: TensorRecord) -> None:
        """Enters a tensor into the index after its parts were written, and writes the padding behind them."""
        for part in record.parts:
            self._offset = self._padded(part.offset + part.nbytes)
        self._tensors.append(record)

    def copy(self, name: str, parts: Iterable[tuple[PartRecord, Iterable[bytes]]]) -> tuple[PartRecord, ...]:
        """Writes a tensor's parts as another container stores them; their records go into the one given to `add`."""
        _check_text(name)
        records: list[PartRecord] = []
        offset = self._offset
        for part, runs in parts:
            summer, at = PartSummer(name, part.name), offset
            for run in runs:
                summer.update(memoryview(run))
                self._out.write_at(at, run)
                at += len(run)
            records.append(part._replace(offset=offset, sums=summer.finish()))
            offset = aligned(at)
        return tuple(records)

    def write_at(self, offset: int, data: memoryview) -> None:
        """Writes bytes of a part that has its place, for tensors whose parts are not written in order."""
        self._out.write_at(offset, data)

    def blob(self, name: str, data: bytes) -> None:
        """Writes a blob; all blobs follow the last tensor."""
        summer = PartSummer("", name)
        summer.update(memoryview(data))
        self._out.write_at(self._offset, data)
        self._blobs.append(BlobRecord(name, self._offset, len(data), summer.finish()))
        self._offset = self._padded(self._offset + len(data))

    def _padded(self, end: int) -> int:
        """The next place behind some bytes. What lies between may be an earlier run's, and becomes zero."""
        following = aligned(end)
        if following > end:
            self._out.write_at(end, bytes(following - end))
        return following

    def finish(self, index: Index) -> tuple[bytes, Index]:
        """Writes the index and the tail.

        Args:
            index: what the file says of itself; its tensors and blobs are filled in here.

        Returns:
            The file's id, 32 bytes, and the whole index.

        Raises:
            OutputError: the index would be too large for a reader.
            TableError: a reader would refuse a name or a value in the index.
        """
        whole = self._whole(index)
        packed = checked_index(whole, self._offset, self._out.target)
        digest = file_digest(pack_head(), packed)
        end = self._offset + len(packed)
        self._out.write_at(self._offset, packed)
        self._out.write_at(end, Tail(self._offset, len(packed), end + TAIL_BYTES, digest).pack())
        self._out.end_at(end + TAIL_BYTES)
        return digest, whole

    def _whole(self, index: Index) -> Index:
        """The index, with the tensors and blobs that were written."""
        _check_spelling(record.name for record in self._tensors)
        return attrs.evolve(index, tensors=tuple(self._tensors), blobs=tuple(self._blobs))


def checked_index(index: Index, end: int, target: Path) -> bytes:
    """The index as msgpack, which a reader takes; the payload ends at `end`. Raises as `Writer.finish` does."""
    packed = packed_index(index)
    if len(packed) > INDEX_CAP:
        raise OutputError("the index is too large", found=f"{len(packed)} bytes", expected=f"at most {INDEX_CAP}")
    parse_index(packed, end, target)  # refuses what a reader would refuse
    return packed


def packed_index(index: Index) -> bytes:
    """The index as msgpack. Raises TableError for a value that a file cannot store."""
    try:
        return pack_index(index)
    except (TypeError, ValueError, OverflowError) as error:
        raise TableError(
            f"the index holds a value that a file cannot store: {type(error).__name__}: {error}"
        ) from error


def _check_text(name: str) -> None:
    """Refuses half a surrogate pair, which JSON can spell but UTF-8 cannot."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise TableError("the name is not valid Unicode", tensor=name, hint="Rename the tensor.") from error


def _check_spelling(names: Iterable[str]) -> None:
    """Refuses two names that look alike: they are equal once their accents are composed."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(normalize("NFC", name), name)
        if other != name:
            raise TableError("two names differ only in how Unicode spells them", tensor=name, found=ascii(other))


class TensorWriter:
    """Writes the parts of one tensor, whose tiles come in row order, matrix after matrix.

    A part of fixed size has its place from the start. A part of variable length waits in a temporary file until the
    tensor is complete.
    """

    def __init__(
        self,
        out: ContainerOutput,
        offset: int,
        name: str,
        spec: FormatSpec,
        shape: tuple[int, ...],
        params: Mapping[str, object],
    ) -> None:
        writers: dict[str, _PartWriter] = {}
        self._writers, self._begin = writers, offset
        self._before: Callable[[int], None] = lambda _: None
        self._placer = PartsPlacer(spec, shape, params, lambda part, at, data: writers[part.name].write(at, data), name)
        shapes = spec.part_shapes(shape, params)
        for part in sorted(spec.parts, key=lambda part: part.variable):
            writers[part.name] = _PartWriter(out, offset, name, part)
            offset = aligned(offset + prod(shapes[part.name]) * itemsize(part.dtype))
        self._end = offset

    def wait_for(self, before: Callable[[int], None]) -> None:
        """Has `before` called with the bytes of all parts and their padding before any of them is written.

        That is at once where no part is of variable length; else all parts wait in temporary files.
        """
        if any(writer.part.variable for writer in self._writers.values()):
            self._before = before
            for writer in self._writers.values():
                writer.waits = True
        else:
            before(self._end - self._begin)

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Writes one tile, whose first row in its matrix is `first_row`; see `PartsPlacer.write`."""
        self._placer.write(parts, first_row=first_row)

    def finish(self) -> tuple[PartRecord, ...]:
        """The records of the parts, in the order in which they lie in the file."""
        shapes = self._placer.finish()
        self._before(sum(aligned(prod(shapes[name]) * writer.size) for name, writer in self._writers.items()))
        records: list[PartRecord] = []
        for name, writer in self._writers.items():
            after = aligned(records[-1].offset + records[-1].nbytes) if records else writer.offset
            records.append(writer.finish(after, shapes[name]))
        return tuple(records)


class _PartWriter:
    """Writes the bytes of one part, which come in order, and computes their checksums."""

    def __init__(self, out: ContainerOutput, offset: int, tensor: str, part: Part) -> None:
        self.offset, self.part = offset, part
        self.size = itemsize(part.dtype)
        self.waits = part.variable
        self._out = out
        self._summer = PartSummer(tensor, part.name)
        self._spool: IO[bytes] | None = None

    def __del__(self) -> None:
        """Closes what waits, where an error kept the tensor from being completed."""
        if self._spool is not None:
            self._spool.close()

    def write(self, offset: int, data: memoryview) -> None:
        """Writes bytes at an offset in the part."""
        self._summer.update(data)
        if self.waits:
            self._spool = self._spool or tempfile.TemporaryFile(dir=self._out.target.parent)  # noqa: SIM115 - see finish
            self._spool.write(data)
        else:
            self._out.write_at(self.offset + offset, data)

    def finish(self, offset: int, shape: tuple[int, ...]) -> PartRecord:
        """The part's record; a part that waited is copied to `offset` first."""
        nbytes = prod(shape) * self.size
        if self._spool is not None:
            with self._spool as spool:
                spool.seek(0)
                for at in range(0, nbytes, COPY_BYTES):
                    self._out.write_at(offset + at, spool.read(COPY_BYTES))
        return PartRecord(self.part.name, self.part.dtype, shape, offset, nbytes, self._summer.finish())
