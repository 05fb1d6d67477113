"""How runs of a tensor's rows are read from a file, whatever the kind of checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Protocol

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.dtypes import itemsize, numpy_dtype
from fourcc.errors import SourceError
from fourcc.format import Format
from fourcc.geometry import Geometry, split_shape
from fourcc.part import Part
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.spec import FormatSpec

ReadRows = Callable[[int, int, int], Parts]  # (matrix, first row, last row) -> parts


class Bytes(Protocol):
    """Bytes that can be read from any position: a file, or a compressed member of one."""

    def read(self, offset: int, count: int) -> bytearray:
        """Exactly `count` bytes."""


@attrs.frozen(eq=False)
class Extent:
    """A tensor of one part, stored as one run of bytes, row after row.

    Attributes:
        data: where the bytes are.
        offset: of the first.
        shape: the tensor's.
        spec: of the format that it is stored in; see `single_part`.
        big_endian: whether its numbers, also those within blocks, have their highest byte first.
    """

    data: Bytes
    offset: int
    shape: tuple[int, ...]
    spec: FormatSpec
    big_endian: bool = False

    @property
    def nbytes(self) -> int:
        """Length of the run."""
        return stored_bytes(self.spec, self.shape)

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix."""
        _, rows, cols = split_shape(self.shape)
        part = self.spec.parts[0]
        tail = part.shape(Geometry(rows, cols))[1:]
        row_bytes = prod(tail) * itemsize(part.dtype)
        begin = self.offset + (matrix * rows + first) * row_bytes
        data = self.data.read(begin, (last - first) * row_bytes)
        dtype = numpy_dtype(part.dtype)
        if dtype == np.bool_:
            refuse_other_than_truth(data, self.data, begin)
        stored = np.frombuffer(data, dtype.newbyteorder(">") if self.big_endian else dtype)
        return {part.name: stored.astype(dtype, copy=False).reshape(last - first, *tail)}


def refuse_other_than_truth(data: bytearray, home: Bytes, begin: int) -> None:
    """Raises SourceError where a byte of truth values is neither 0 nor 1: programs do not agree on its meaning."""
    wrong = np.flatnonzero(np.frombuffer(data, np.uint8) > 1)
    if wrong.size:
        at = int(wrong[0])
        raise SourceError(
            f"{wrong.size} of {len(data)} truth values are neither 0 nor 1",
            file=getattr(home, "path", None),
            offset=begin + at,
            found=data[at],
            hint="Store them as integers of one byte.",
        )


@attrs.frozen(eq=False)
class Planes:
    """A matrix whose parts are runs of bytes, apart from each other in the file.

    Attributes:
        data: where the bytes are.
        offsets: of each part's first byte, in the order of the spec's parts.
        shape: the tensor's: one dimension or two.
        spec: of the format that it is stored in; no part of variable length.
        params: the format's parameters.
    """

    data: Bytes
    offsets: tuple[int, ...]
    shape: tuple[int, ...]
    spec: FormatSpec
    params: Params = attrs.field(factory=dict)

    def read(self, matrix: int, first: int, last: int) -> Parts:  # noqa: ARG002 - there is one matrix
        """The rows first..last; `first` is a multiple of the block's rows."""
        located = zip(self.spec.parts, self.offsets, strict=True)
        return {part.name: self._entries(part, offset, first, last) for part, offset in located}

    def _entries(self, part: Part, offset: int, first: int, last: int) -> Array:
        shape = part.shape(self.spec.geometry(self.shape, self.params))
        if part.rows is not None:
            begin, end = first // part.rows, -(-last // part.rows)
            offset += begin * prod(shape[1:]) * itemsize(part.dtype)
            shape = (end - begin, *shape[1:])
        data = self.data.read(offset, prod(shape) * itemsize(part.dtype))
        return np.frombuffer(data, numpy_dtype(part.dtype)).reshape(shape)


def whole_parts(spec: FormatSpec) -> frozenset[str]:
    """Names of the parts that belong to the whole matrix."""
    return frozenset(part.name for part in spec.parts if part.rows is None)


def single_part(fmt: Format) -> bool:
    """Whether a format's tensors are one run of bytes, so a foreign file can hold them as `Extent` reads them."""
    return single_part_spec(fmt)


def single_part_spec(spec: FormatSpec) -> bool:
    """As `single_part`, for a format's spec."""
    parts = spec.parts
    return len(parts) == 1 and parts[0].rows == 1 and not parts[0].variable and not spec.params


def stored_bytes(spec: FormatSpec, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor in a format of one part."""
    return spec.stored_bytes(shape, {})


def number_format(dtype: str, file: object) -> Format:
    """The format of plain numbers of one of numpy's dtypes. Raises SourceError where none is installed."""
    return foreign_format("numpy", dtype, file)


def foreign_format(system: str, identity: int | str, file: object) -> Format:
    """The format with an id in another system. Raises SourceError where none is installed."""
    fmt = registry.foreign(system, identity)
    if fmt is None:
        raise SourceError(f"no installed format holds {system}'s {identity}", file=file)
    return fmt


@attrs.frozen(eq=False)
class AdjacentPairs:
    """Reads q and k projections whose rows are in Hugging Face's order as rows in fourcc's.

    Hugging Face rotates element i of a head with element i + head_dim / 2; fourcc stores the two beside each other:
    row ``h * head_dim + 2 * i + s`` is Hugging Face's row ``h * head_dim + s * head_dim / 2 + i``.

    Attributes:
        stored: reads the rows as they are in the file.
        head_dim: rows of one head, even.
        vector: whether the tensor has one dimension (a bias, or a norm of one head), so its columns are permuted.
        back: the other way round: the rows are in fourcc's order, and are read in Hugging Face's.
        whole: names of parts that belong to the whole matrix, and stay as they are.
    """

    stored: ReadRows
    head_dim: int
    vector: bool
    back: bool = False
    whole: frozenset[str] = frozenset()

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix: whole heads are read, then cut."""
        if self.vector:
            return {name: self._permuted(part.T).T for name, part in self.stored(matrix, first, last).items()}
        start = first // self.head_dim * self.head_dim
        end = -(-last // self.head_dim) * self.head_dim
        parts = self.stored(matrix, start, end)
        return {
            name: part if name in self.whole else self._permuted(part)[first - start : last - start]
            for name, part in parts.items()
        }

    def _permuted(self, part: Array) -> Array:
        """Entries along axis 0, of whole heads."""
        half = self.head_dim // 2
        pair = (half, 2) if self.back else (2, half)
        heads = part.reshape(-1, *pair, *part.shape[1:])  # (heads, s, i, ...), or (heads, i, s, ...)
        return np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(part.shape)
