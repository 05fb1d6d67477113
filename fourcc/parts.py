"""Places the parts of a tensor's tiles: one rule for arrays in memory, a container and an export.

Tiles come in row order, matrix after matrix, so every part of the tensor grows at its end:

- a part of some rows with every tile;
- a part of the whole matrix with the first tile of that matrix; the copies in later tiles must be equal;
- a part of variable length with the one tile that its matrix has.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from math import prod

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.dtypes import itemsize, numpy_dtype
from fourcc.errors import PluginError
from fourcc.part import Part
from fourcc.settings import Params
from fourcc.spec import FormatSpec

SMALL = 1 << 10  # bytes that are kept for comparison; of more, a digest

Put = Callable[[Part, int, memoryview], None]  # (part, offset in the part, bytes); in order of the offsets


def cut_rows(spec: FormatSpec, parts: Parts, first: int, last: int) -> Parts:
    """The parts of the rows first..last of one matrix, as views; `first` is a multiple of the block's rows."""
    return {part.name: part.cut(parts[part.name], first, last) for part in spec.parts}


class PartsPlacer:
    """Cuts the parts of a tensor's tiles into bytes and tells where in each part they go.

    Args:
        spec: of the tensor's format.
        shape: the tensor's.
        params: the format's parameters, complete.
        put: takes the bytes. It must not hold the object that owns this one: a cycle would keep the parts in memory.
        name: the tensor's, for messages.
    """

    def __init__(
        self, spec: FormatSpec, shape: tuple[int, ...], params: Params, put: Put, name: str | None = None
    ) -> None:
        self._spec, self._put, self._name = spec, put, name
        self._shapes = spec.part_shapes(shape, params)
        self._ends = dict.fromkeys(self._shapes, 0)
        self._of_matrix: dict[str, bytes] = {}  # the part of the matrix that is being written, or its digest

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Places one tile.

        Args:
            parts: as the format's encoder gives them.
            first_row: of the tile in its matrix.

        Raises:
            PluginError: a part is longer than its format says, or one of the matrix is not that of the first tile.
        """
        for part in self._spec.parts:
            data = _bytes_of(np.ascontiguousarray(parts[part.name]))
            if part.rows is None and not part.variable:
                self._compare(part, data, first_row)
            if part.rows is not None or first_row == 0:
                self._append(part, data)

    def _compare(self, part: Part, data: memoryview, first_row: int) -> None:
        """Refuses a part of the matrix that is not that of the matrix's first tile."""
        held = bytes(data) if len(data) <= SMALL else blake2b(data).digest()
        if first_row and held != self._of_matrix[part.name]:
            what = f"part {part.name!r} belongs to the whole matrix, and differs from tile to tile"
            expected = "the same with every tile, such as what `prepare` returned"
            raise PluginError(what, tensor=self._name, expected=expected)
        self._of_matrix[part.name] = held

    def _append(self, part: Part, data: memoryview) -> None:
        start = self._ends[part.name]
        end = start + len(data)
        if not part.variable and end > self._planned(part):
            raise self._wrong_length(part, end)
        self._put(part, start, data)
        self._ends[part.name] = end

    def finish(self) -> dict[str, tuple[int, ...]]:
        """The stored shape of each part.

        An empty matrix's part that has bytes all the same, such as a codebook, is filled with zeros: no tile brought
        it.

        Raises:
            PluginError: a part is shorter than its format says.
        """
        for part in self._spec.parts:
            if part.variable:
                self._shapes[part.name] = (self._ends[part.name] // itemsize(part.dtype),)
                continue
            if not self._ends[part.name]:
                self._append(part, memoryview(bytes(self._planned(part))))
            if self._ends[part.name] != self._planned(part):
                raise self._wrong_length(part, self._ends[part.name])
        return self._shapes

    def _planned(self, part: Part) -> int:
        return prod(self._shapes[part.name]) * itemsize(part.dtype)

    def _wrong_length(self, part: Part, got: int) -> PluginError:
        what = f"part {part.name!r} does not have the length that its format gives it"
        return PluginError(what, tensor=self._name, found=f"{got} bytes", expected=f"{self._planned(part)} bytes")


def _bytes_of(array: Array) -> memoryview:
    """The bytes of a C-contiguous array; by way of numpy, since a record's memoryview cannot be cast."""
    return array.reshape(-1).view(np.uint8).data


class PartArrays:
    """The parts of one tensor in memory, filled tile by tile.

    Args:
        spec: of the tensor's format.
        shape: the tensor's.
        params: the format's parameters, complete.
        name: the tensor's, for messages.
    """

    def __init__(self, spec: FormatSpec, shape: tuple[int, ...], params: Params, name: str | None = None) -> None:
        shapes = spec.part_shapes(shape, params)
        arrays = {part.name: np.zeros(shapes[part.name], numpy_dtype(part.dtype)) for part in spec.parts}
        runs = {name: _bytes_of(array) for name, array in arrays.items()}

        def put(part: Part, offset: int, data: memoryview) -> None:
            if part.variable:  # has one tile
                arrays[part.name] = np.frombuffer(bytearray(data), numpy_dtype(part.dtype))
            else:
                runs[part.name][offset : offset + len(data)] = data

        self._arrays = arrays
        self._placer = PartsPlacer(spec, shape, params, put, name)  # `put` does not hold this object: no cycle

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Places one tile; see `PartsPlacer.write`."""
        self._placer.write(parts, first_row=first_row)

    def finish(self) -> dict[str, Array]:
        """The parts, of their stored shapes. Raises PluginError where one is shorter than its format says."""
        self._placer.finish()
        return self._arrays
