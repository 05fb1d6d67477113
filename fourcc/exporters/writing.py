"""Writing an export: every part has its place from the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

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
        out: the output, entered.
        layout: what goes where; what is no tensor is written at once.
    """

    def __init__(self, out: AtomicFile, layout: Layout) -> None:
        self._out, self._places = out, layout.places
        for offset, data in layout.pieces.items():
            out.write_at(offset, data)

    def tensor(self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]) -> PlacedTensor:
        """What takes the next tensor's parts."""
        return PlacedTensor(self._out, self._places[name], name, spec, shape, params)

    def copy(self, name: str, parts: Iterable[tuple[PartRecord, Iterable[bytes]]]) -> tuple[PartRecord, ...]:
        """Writes a tensor's parts as they stood in a container."""
        records = []
        for part, runs in parts:
            at = self._places[name][part.name]
            records.append(part._replace(offset=at, sums=b""))
            for run in runs:
                self._out.write_at(at, run)
                at += len(run)
        return tuple(records)

    def finish(self, nbytes: int) -> None:
        """Makes the file as long as it should be; what nobody wrote is zero."""
        if self._out.size < nbytes:
            self._out.write_at(nbytes - 1, b"\0")


class PlacedTensor:
    """Writes the parts of one tensor, tile by tile, each at its own cursor, as a `TensorSink` does."""

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
        """One tile; a part of the whole matrix is written with the first one only."""
        import numpy as np

        for part in self._spec.parts:
            if part.rows is None and first_row:
                continue
            data = np.ascontiguousarray(parts[part.name]).reshape(-1).view(np.uint8).data
            self._out.write_at(self._cursors[part.name], data)
            self._cursors[part.name] += len(data)

    def finish(self) -> tuple[PartRecord, ...]:
        """Where the parts are, after their lengths were compared with what the format says."""
        records = []
        for part in self._spec.parts:
            shape, start = self._shapes[part.name], self._starts[part.name]
            expected, found = prod(shape) * itemsize(part.dtype), self._cursors[part.name] - start
            if found != expected:
                what = f"part {part.name!r} does not have the length that its format gives it"
                raise PluginError(what, tensor=self._name, found=f"{found} bytes", expected=f"{expected} bytes")
            records.append(PartRecord(part.name, part.dtype, shape, start, found, b""))
        return tuple(records)
