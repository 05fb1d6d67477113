"""Writes an export: the offset of every part is known from the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import numpy as np

from fourcc.container.index import PartRecord
from fourcc.dtypes import itemsize
from fourcc.errors import PluginError
from fourcc.exporters.layout import Layout
from fourcc.files.write import AtomicFile
from fourcc.format import Parts
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
        self._out, self._name, self._spec = out, name, spec
        self._shapes = spec.part_shapes(shape, params)
        self._starts = dict(places)
        self._cursors = dict(places)

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Writes one tile; a part of the whole matrix is written only with the first tile."""
        for part in self._spec.parts:
            if part.rows is None and first_row:
                continue
            data = np.ascontiguousarray(parts[part.name]).reshape(-1).view(np.uint8).data
            self._out.write_at(self._cursors[part.name], data)
            self._cursors[part.name] += len(data)

    def finish(self) -> tuple[PartRecord, ...]:
        """Records of the parts, once their lengths agree with the format."""
        records = []
        for part in self._spec.parts:
            shape, start = self._shapes[part.name], self._starts[part.name]
            expected, found = prod(shape) * itemsize(part.dtype), self._cursors[part.name] - start
            if found != expected:
                what = f"part {part.name!r} does not have the length that its format gives it"
                raise PluginError(what, tensor=self._name, found=f"{found} bytes", expected=f"{expected} bytes")
            records.append(PartRecord(part.name, part.dtype, shape, start, found, b""))
        return tuple(records)
