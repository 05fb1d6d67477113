"""Writes an export: the offset of every part is known from the start, and which file it lies in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from math import prod
from pathlib import Path
from typing import Protocol, Self

from fourcc.arrays import Parts
from fourcc.container.index import PartRecord
from fourcc.dtypes import itemsize
from fourcc.exporters.layout import Layout, Pack
from fourcc.files.folder_write import AtomicFolder
from fourcc.files.write import AtomicFile
from fourcc.parts import PartArrays, PartsPlacer
from fourcc.spec import FormatSpec


class ExportBytes(Protocol):
    """The bytes of an export, be they of one file or of several."""

    @property
    def size(self) -> int:
        """The end of the last byte that was written."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`."""


class Files(AbstractContextManager["Files"]):
    """An export's files: those of its bytes, and those beside; left normally, all appear.

    Args:
        target: the file, or the folder where the layout has shards.
        layout: its layout.
    """

    def __init__(self, target: Path, layout: Layout) -> None:
        self._target, self._layout = target, layout
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._layout.shards:
                self.home = stack.enter_context(AtomicFolder(self._target)).path
                self.output: ExportBytes = stack.enter_context(ShardedFile(self.home, self._layout.shards))
            else:
                self.home = self._target.parent
                self.output = stack.enter_context(AtomicFile(self._target))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # as it was given

    def put(self, path: Path, data: bytes) -> None:
        """Writes a file beside: under its name in the folder that is made, or at its own path."""
        with AtomicFile(self.home / path.name if self._layout.shards else path) as other:
            other.write_at(0, data)


class ShardedFile(AbstractContextManager["ShardedFile"]):
    """Several files as one run of bytes.

    Args:
        folder: that they lie in.
        begins: name -> offset of its first byte, in their order.
    """

    def __init__(self, folder: Path, begins: Mapping[str, int]) -> None:
        self._begins = list(begins.values())
        self._files = [AtomicFile(folder / name) for name in begins]
        self._stack = ExitStack()

    @property
    def size(self) -> int:
        """The end of the last byte that was written."""
        return max(begin + file.size for begin, file in zip(self._begins, self._files, strict=True))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for file in self._files:
                stack.enter_context(file)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # as it was given

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`: no part lies in two files."""
        number = bisect_right(self._begins, offset) - 1
        self._files[number].write_at(offset - self._begins[number], data)


class PlacedFile:
    """An output whose layout is known; a `fourcc.conversion.pipeline.Sink`.

    Args:
        out: the output, already entered as a context.
        layout: its layout; the bytes that belong to no tensor are written at once.
    """

    def __init__(self, out: ExportBytes, layout: Layout) -> None:
        self._out, self._places, self._packed = out, layout.places, layout.packed
        for offset, data in layout.pieces.items():
            out.write_at(offset, data)

    def tensor(
        self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]
    ) -> PlacedTensor | PackedTensor:
        """The sink of the next tensor's parts."""
        pack = self._packed.get(name)
        if pack is not None:
            return PackedTensor(self._out, self._places[name], pack, PartArrays(spec, shape, params, name))
        return PlacedTensor(self._out, self._places[name], name, spec, shape, params)

    def copy(self, name: str, parts: Iterable[tuple[PartRecord, Iterable[bytes]]]) -> tuple[PartRecord, ...]:
        """Writes a tensor's parts as they were stored in a container."""
        records = []
        for part, runs in parts:
            at = self._places[name][part.name]
            records.append(part._replace(offset=at, sums=b""))
            for run in runs:
                self._out.write_at(at, run)
                at += len(run)
        return tuple(records)

    def finish(self, nbytes: int) -> None:
        """Extends the file to its length; bytes that were not written are zero."""
        if self._out.size < nbytes:
            self._out.write_at(nbytes - 1, b"\0")


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
        self._places, self._spec = places, spec
        self._placer = PartsPlacer(
            spec, shape, params, lambda part, at, data: out.write_at(places[part.name] + at, data), name
        )

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Writes one tile, whose first row in its matrix is `first_row`; see `PartsPlacer.write`."""
        self._placer.write(parts, first_row=first_row)

    def finish(self) -> tuple[PartRecord, ...]:
        """Places of the parts, after their lengths were compared with what the format says."""
        shapes = self._placer.finish()
        return tuple(
            PartRecord(
                part.name,
                part.dtype,
                shapes[part.name],
                self._places[part.name],
                prod(shapes[part.name]) * itemsize(part.dtype),
                b"",
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
    """

    def __init__(self, out: ExportBytes, places: Mapping[str, int], pack: Pack, parts: PartArrays) -> None:
        self._out, self._places, self._pack, self._parts = out, places, pack, parts

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Takes one tile, whose first row in its matrix is `first_row`; see `PartsPlacer.write`."""
        self._parts.write(parts, first_row=first_row)

    def finish(self) -> tuple[PartRecord, ...]:
        """Writes the parts; their places are in the layout, so no records tell them."""
        for name, array in self._pack(self._parts.finish()).items():
            self._out.write_at(self._places[name], array.reshape(-1).view("u1").data)
        return ()
