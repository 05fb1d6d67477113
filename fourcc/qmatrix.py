"""QMatrix: a tensor in some format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import lcm, prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.errors import TableError, UsageError
from fourcc.registry import registry
from fourcc.spec import DType, FormatSpec, Geometry, Params, split_shape
from fourcc.tags import FourCC, as_tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

    from fourcc.format import Array, Format, Parts

TILE_WEIGHTS = 1 << 18  # a constant, so that bytes never depend on the machine


def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """The numpy dtype of a part."""
    import numpy as np

    return np.dtype(dtype if isinstance(dtype, str) else [(name, kind, shape) for name, kind, shape in dtype])


def _read_only(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping))


def tile_bounds(rows: int, cols: int, *specs: FormatSpec) -> Iterator[tuple[int, int]]:
    """Runs of rows that are coded together: multiples of every format's block, about `TILE_WEIGHTS` weights each.

    A format that blocks whole columns, or has a part of variable length, gets the whole matrix at once.
    """
    steps = [None if spec.variable else spec.block[0] for spec in specs]
    step = 1
    for count in steps:
        step = max(1, rows) if count is None else lcm(step, count)
    count = step * max(1, TILE_WEIGHTS // max(1, cols * step))
    for first in range(0, rows, count):
        yield first, min(rows, first + count)


def cut_rows(spec: FormatSpec, parts: Parts, first: int, last: int) -> Parts:
    """The parts of the rows first..last of one matrix, as views; `first` is a multiple of the block's rows."""
    return {
        part.name: parts[part.name]
        if part.rows is None or part.variable
        else parts[part.name][first // part.rows : -(-last // part.rows)]
        for part in spec.parts
    }


@attrs.frozen(eq=False, repr=False)
class QMatrix:
    """A tensor in the format of its tag: zero-copy views of its parts, decoded only when asked.

    Attributes:
        tag: names the format.
        shape: the tensor's true shape, (out features, in features) for a matrix; leading dimensions are independent
            matrices.
        parts: part name -> array of shape (*leading, entries, *tail); a part of variable length is one-dimensional.
        params: the format's parameters.
        name: the tensor's name, for messages.
    """

    tag: FourCC = attrs.field(converter=as_tag)
    shape: tuple[int, ...]
    parts: Mapping[str, Array] = attrs.field(converter=_read_only)
    params: Params = attrs.field(factory=dict, converter=_read_only)
    name: str | None = None

    @property
    def format(self) -> Format:
        """The format, from the registry. Raises PluginError where it is not installed, or broken."""
        return registry[self.tag]

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.nbytes for part in self.parts.values())

    @property
    def bits_per_weight(self) -> Fraction:
        """Bits really spent, scales and short blocks included; 0 for an empty tensor."""
        return Fraction(8 * self.nbytes, max(1, prod(self.shape)))

    def __getitem__(self, index: int) -> QMatrix:
        """One of the leading dimension's matrices (an expert), as a view."""
        lead, _, _ = split_shape(self.shape)
        if not lead:
            raise UsageError("a matrix has no leading dimension to index", tensor=self.name)
        if not -lead[0] <= index < lead[0]:
            raise IndexError(f"index {index} of a leading dimension of {lead[0]}")
        parts = {name: part[index] for name, part in self.parts.items()}
        return attrs.evolve(self, shape=self.shape[1:], parts=parts, name=self.name and f"{self.name}[{index}]")

    def matrices(self) -> Iterator[Parts]:
        """The parts of each matrix, leading dimensions flattened in row-major order."""
        lead, _, _ = split_shape(self.shape)
        depth = len(lead)
        flat = {name: part.reshape((prod(lead), *part.shape[depth:])) for name, part in self.parts.items()}
        for index in range(prod(lead)):
            yield {name: part[index] for name, part in flat.items()}

    def tiles(self) -> Iterator[Array]:
        """Decoded runs of rows, (rows, cols) of the format's `decoded` dtype, matrix after matrix."""
        found = self._checked_format()
        _, rows, cols = split_shape(self.shape)
        for parts in self.matrices():
            for first, last in tile_bounds(rows, cols, found.spec):
                geom = Geometry(last - first, cols, self.params)
                yield found.decode(cut_rows(found.spec, parts, first, last), geom)

    def decode(self) -> Array:
        """The whole tensor, of its shape, in the format's `decoded` dtype: float32 for every quantized format.

        Raises:
            PluginError: the format is missing or broken.
            TableError: the parts do not have the shapes that the format gives them.
        """
        import numpy as np

        out = np.empty(self.shape, numpy_dtype(self.format.spec.decoded))  # the tensor
        rows = out.reshape(-1, split_shape(self.shape)[2]) if out.size else out.reshape(0, 1)
        first = 0
        for tile in self.tiles() if out.size else ():
            rows[first : first + len(tile)] = tile
            first += len(tile)
        return out

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - numpy's signature
        if copy is False:
            raise ValueError("a QMatrix is decoded into a new array; copy=False cannot be kept")
        decoded = self.decode()
        return decoded if dtype is None else decoded.astype(dtype)

    def _checked_format(self) -> Format:
        """The format, after the parts were compared with what it declares."""
        found = self.format
        shapes = found.spec.part_shapes(self.shape, self.params)
        if set(shapes) != set(self.parts):
            raise TableError("wrong parts", tensor=self.name, found=sorted(self.parts), expected=sorted(shapes))
        for part in found.spec.parts:
            array, expected = self.parts[part.name], (shapes[part.name], numpy_dtype(part.dtype))
            if not part.variable and (array.shape, array.dtype) != expected:
                raise TableError(
                    f"part {part.name!r} does not fit the format {self.tag}",
                    tensor=self.name,
                    found=f"{array.shape} {array.dtype}",
                    expected=f"{expected[0]} {expected[1]}",
                )
        return found

    def __repr__(self) -> str:
        label = "" if self.name is None else f" {self.name}"
        shape = " x ".join(map(str, self.shape)) or "scalar"
        return f"<QMatrix{label} {self.tag} {shape}, {float(self.bits_per_weight):.4g} bits per weight>"
