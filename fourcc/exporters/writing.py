"""Writes an export: the offset of every part is known from the start, and which file it lies in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from math import prod
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.container.index import PartRecord, TensorRecord
from fourcc.container.layout import PartSummer
from fourcc.container.writer import COPY_BYTES
from fourcc.dtypes import itemsize
from fourcc.execution import Execution
from fourcc.exporters.layout import Layout, Pack
from fourcc.files.facts import Facts
from fourcc.files.journal import Record
from fourcc.files.part_file import PartFile
from fourcc.files.part_folder import FileInFolder, PartFolder
from fourcc.files.part_set import PartSet
from fourcc.files.write import AtomicFile
from fourcc.part import Part
from fourcc.parts import PartArrays, PartsPlacer
from fourcc.spec import FormatSpec


class ExportBytes(Protocol):
    """The bytes of an export, be they of one file or of several."""

    @property
    def size(self) -> int:
        """Bytes that its files have."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`."""

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many of the bytes that were written, or those up to the end."""

    def end_at(self, nbytes: int) -> None:
        """Gives the bytes their length; those that were not written are zero."""


class Files(AbstractContextManager["Files"]):
    """An export's files: those of its bytes, and those beside; left normally, all appear. A later run can go on.

    Args:
        target: the file; the folder; or the name that shards beside each other are called after.
        layout: its layout.
        facts: all that the bytes depend on.
        how: whether to go on with what lies there, or to begin anew.
        replaced: the files that go when shards appear beside each other; None: these appear in a folder of their own.
    """

    def __init__(
        self, target: Path, layout: Layout, facts: Facts, how: Execution, replaced: Iterable[Path] | None
    ) -> None:
        to_do = {"resume": how.resume, "anew": how.anew}
        self._work: PartFolder | PartFile
        if not layout.shards:
            self._work = PartFile(target, facts, **to_do)
        elif replaced is None:
            self._work = PartFolder(target, facts, **to_do)
        else:
            self._work = PartSet(target, facts, replaced, **to_do)
        self._shards = layout.shards
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._work)
            if isinstance(self._work, PartFolder):
                self.output: ExportBytes = stack.enter_context(ShardedFile(self._work.path, self._shards))
            else:
                self.output = self._work
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # as it was given

    @property
    def done(self) -> Mapping[str, Record]:
        """The record of each tensor that an earlier run has written."""
        return self._work.done

    def add(self, key: str, record: Record) -> None:
        """Notes that a tensor's bytes are written. Raises OutputError."""
        self._work.add(key, record)

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many of the bytes that were written, or those up to the end."""
        return self.output.read_at(offset, count)

    @property
    def hopeless(self) -> bool:
        """Whether a later run cannot go on with what was written."""
        return self._work.hopeless

    @hopeless.setter
    def hopeless(self, value: bool) -> None:
        self._work.hopeless = value

    def put(self, path: Path, data: bytes) -> None:
        """Has a file beside: under its name among the shards, or at its own path."""
        if isinstance(self._work, PartFile):
            self._work.beside[path] = data
            return
        with AtomicFile(self._work.path / path.name) as other:
            other.write_at(0, data)


class ShardedFile(AbstractContextManager["ShardedFile"]):
    """Several files as one run of bytes.

    Args:
        folder: that they lie in.
        begins: name -> offset of its first byte, in their order.
    """

    def __init__(self, folder: Path, begins: Mapping[str, int]) -> None:
        self._begins = list(begins.values())
        self._files = [FileInFolder(folder / name) for name in begins]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for file in self._files:
                stack.enter_context(file)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # as it was given

    @property
    def size(self) -> int:
        """Bytes that its files have."""
        return sum(file.size for file in self._files)

    def _at(self, offset: int) -> tuple[FileInFolder, int]:
        """The file that a byte lies in, and its offset there."""
        number = bisect_right(self._begins, offset) - 1
        return self._files[number], offset - self._begins[number]

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`: no part lies in two files."""
        file, at = self._at(offset)
        file.write_at(at, data)

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many of the bytes that were written at `offset` in one file, or those up to its end."""
        file, at = self._at(offset)
        return file.read_at(at, count)

    def end_at(self, nbytes: int) -> None:
        """Gives each file its length; bytes that were not written are zero."""
        for file, begin, end in zip(self._files, self._begins, [*self._begins[1:], nbytes], strict=True):
            file.end_at(end - begin)


class PlacedFile:
    """An output whose layout is known; a `fourcc.conversion.sink.Sink`.

    Args:
        out: the output, already entered as a context.
        layout: its layout; the bytes that belong to no tensor are written at once.
    """

    def __init__(self, out: ExportBytes, layout: Layout) -> None:
        self._out, self._places, self._packed = out, layout.places, layout.packed
        self._others = [*((at, len(data)) for at, data in layout.pieces.items()), (layout.nbytes, 0)]
        for offset, data in layout.pieces.items():
            out.write_at(offset, data)

    def tensor(
        self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]
    ) -> PlacedTensor | PackedTensor:
        """The sink of the next tensor's parts."""
        pack = self._packed.get(name)
        if pack is not None:
            return PackedTensor(self._out, self._places[name], pack, PartArrays(spec, shape, params, name), name)
        return PlacedTensor(self._out, self._places[name], name, spec, shape, params)

    def copy(self, name: str, parts: Iterable[tuple[PartRecord, Iterable[bytes]]]) -> tuple[PartRecord, ...]:
        """Writes a tensor's parts as they were stored in a container."""
        records = []
        for part, runs in parts:
            begin = at = self._places[name][part.name]
            summer = PartSummer(name, part.name)
            for run in runs:
                summer.update(memoryview(run))
                self._out.write_at(at, run)
                at += len(run)
            records.append(part._replace(offset=begin, sums=summer.finish()))
        return tuple(records)

    def clear(self, records: Iterable[TensorRecord]) -> None:
        """Makes what lies between the tensors, all of which are written, zero: an earlier run may have left it."""
        parts = [(part.offset, part.nbytes) for record in records for part in record.parts]
        end = 0
        for offset, nbytes in sorted([*parts, *self._others]):
            for at in range(end, offset, COPY_BYTES):
                self._out.write_at(at, bytes(min(COPY_BYTES, offset - at)))
            end = max(end, offset + nbytes)

    def finish(self, nbytes: int) -> None:
        """Gives the file its length; bytes that were not written are zero."""
        self._out.end_at(nbytes)


class PlacedTensor:
    """Writes the parts of one tensor, tile by tile, each part at its own cursor, as a `TensorSink` does."""

    def __init__(
        self,
        out: ExportBytes,
        places: Mapping[str, int],
        name: str,
        spec: FormatSpec,
        shape: tuple[int, ...],
        params: Mapping[str, object],
    ) -> None:
        summers = {part.name: PartSummer(name, part.name) for part in spec.parts}

        def put(part: Part, at: int, data: memoryview) -> None:
            summers[part.name].update(data)
            out.write_at(places[part.name] + at, data)

        self._places, self._spec, self._summers = places, spec, summers
        self._placer = PartsPlacer(spec, shape, params, put, name)

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Writes one tile, whose first row in its matrix is `first_row`; see `PartsPlacer.write`."""
        self._placer.write(parts, first_row=first_row)

    def finish(self) -> tuple[PartRecord, ...]:
        """Places and checksums of the parts, after their lengths were compared with what the format says."""
        shapes = self._placer.finish()
        return tuple(
            PartRecord(
                part.name,
                part.dtype,
                shapes[part.name],
                self._places[part.name],
                prod(shapes[part.name]) * itemsize(part.dtype),
                self._summers[part.name].finish(),
            )
            for part in self._spec.parts
        )


class PackedTensor:
    """Writes one tensor in other parts than it is stored in, which need all of it: it is gathered in memory first.

    Args:
        out: the output.
        places: name of a part in the file -> its offset.
        pack: makes those parts of the stored ones.
        parts: takes the stored ones.
        name: of the tensor.
    """

    def __init__(self, out: ExportBytes, places: Mapping[str, int], pack: Pack, parts: PartArrays, name: str) -> None:
        self._out, self._places, self._pack, self._parts, self._name = out, places, pack, parts, name

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Takes one tile, whose first row in its matrix is `first_row`; see `PartsPlacer.write`."""
        self._parts.write(parts, first_row=first_row)

    def finish(self) -> tuple[PartRecord, ...]:
        """Writes the parts that the layout has places for; gives places and checksums."""
        return tuple(self._put(name, array) for name, array in self._pack(self._parts.finish()).items())

    def _put(self, name: str, array: Array) -> PartRecord:
        data, summer = array.reshape(-1).view(np.uint8).data, PartSummer(self._name, name)
        summer.update(data)
        self._out.write_at(self._places[name], data)
        return PartRecord(name, "|u1", (len(data),), self._places[name], len(data), summer.finish())
