"""Writes an export: the offset of every part is known from the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

from fourcc.arrays import Parts
from fourcc.container.index import PartRecord
from fourcc.dtypes import itemsize
from fourcc.exporters.layout import Layout
from fourcc.files.write import AtomicFile
from fourcc.parts import PartsPlacer
from fourcc.spec import FormatSpec


class PlacedFile:
    """An output whose layout is known; a `fourcc.conversion.pipeline.Sink`.

    Args:
        out: the output, already entered as a context.
        layout: its layout; the bytes that belong to no tensor are written at once.
    """

    def __init__(self, out: AtomicFile, layout: Layout) -> None:
        self._out, self._places = out, layout.places
        for offset, data in layout.pieces.items():
            out.write_at(offset, data)

    def tensor(self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]) -> PlacedTensor:
        """The sink of the next tensor's parts."""
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
        out: AtomicFile,
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
