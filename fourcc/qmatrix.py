"""QMatrix: a tensor in some format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from fourcc import compute
from fourcc.arrays import Array, Floats, Parts
from fourcc.compute import Packed, PackedStack
from fourcc.dtypes import numpy_dtype
from fourcc.errors import TableError, UsageError, shown
from fourcc.exchange import ArrayExchange, as_array
from fourcc.format import Format
from fourcc.geometry import Geometry, split_shape
from fourcc.matrix_view import MatrixView
from fourcc.parts import cut_rows
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.spec import checked_shapes
from fourcc.tags import FourCC, as_tag
from fourcc.tiles import decode_rows, shape_and_dtype, tile_bounds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


SAMPLE = 1 << 14  # weights whose histogram a notebook shows
MOST_SAMPLED = 1 << 22  # weights that are decoded for it at most, where a format needs many together


def _read_only(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping))


@attrs.frozen(eq=False, repr=False)
class QMatrix(ArrayExchange, MatrixView):
    """A tensor in the format of its tag: zero-copy views of its parts, decoded only on demand.

    Attributes:
        tag: names the format.
        shape: the tensor's true shape, (out features, in features) for a matrix; leading dimensions are independent
            matrices.
        parts: part name -> array of shape (*leading, entries, *tail); a part of variable length is one-dimensional.
        params: the format's parameters.
        name: the tensor's name, for messages.
        made_by: distribution and version of the package whose format encoded it, for messages.
    """

    tag: FourCC = attrs.field(converter=as_tag)
    shape: tuple[int, ...]
    parts: Mapping[str, Array] = attrs.field(converter=_read_only)
    params: Params = attrs.field(factory=dict, converter=_read_only)
    name: str | None = None
    made_by: str | None = None

    @property
    def format(self) -> Format:
        """The format, from the registry. Raises PluginError where it is not installed, or broken."""
        return registry.find(self.tag, self.made_by)

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.nbytes for part in self.parts.values())

    @property
    def bits_per_weight(self) -> Fraction:
        """Stored bits per weight, scales and short blocks included; 0 for an empty tensor."""
        weights = prod(self.shape)
        return Fraction(8 * self.nbytes, weights) if weights else Fraction(0)

    def __getitem__(self, index: int) -> QMatrix:
        """One of the leading dimension's matrices (an expert), as a view. Raises as `decode` does, and UsageError."""
        lead, _, _ = split_shape(self.shape)
        self._checked_format()
        if not lead:
            raise UsageError("a matrix has no leading dimension to index", tensor=self.name)
        if not -lead[0] <= index < lead[0]:
            raise IndexError(f"index {index} of a leading dimension of {lead[0]}")
        parts = {name: part[index, ...] for name, part in self.parts.items()}
        return attrs.evolve(self, shape=self.shape[1:], parts=parts, name=self.name and f"{self.name}[{index}]")

    def __iter__(self) -> Iterator[QMatrix]:
        """The leading dimension's matrices. Raises as `decode` does, and UsageError where there is none."""
        self._checked_format()
        if len(self.shape) < 3:
            raise UsageError("a matrix has no leading dimension to go through", tensor=self.name)
        return map(self.__getitem__, range(self.shape[0]))

    def matrices(self) -> Iterator[Parts]:
        """The parts of every matrix, leading dimensions flattened in row-major order. Raises as `decode` does."""
        self._checked_format()
        lead, _, _ = split_shape(self.shape)
        depth = len(lead)
        flat = {name: part.reshape((prod(lead), *part.shape[depth:])) for name, part in self.parts.items()}
        for index in range(prod(lead)):
            yield {name: part[index, ...] for name, part in flat.items()}

    def tiles(self, out: Array | None = None) -> Iterator[Array]:
        """Decoded runs of rows, (rows, cols) of the format's `decoded` dtype, in order. Raises as `decode` does.

        Args:
            out: (all rows, cols); a run may be decoded into its place there, and is then a view of it.
        """
        fmt = self._checked_format()
        _, rows, cols = split_shape(self.shape)
        for index, parts in enumerate(self.matrices()):
            for first, last in tile_bounds(rows, cols, fmt):
                geom = Geometry(last - first, cols, self.params)
                place = None if out is None else out[index * rows + first : index * rows + last]
                some = cut_rows(fmt, parts, first, last)
                yield decode_rows(fmt, some, geom, self.name, whole=prod(self.shape), out=place)

    def decode(self) -> Array:
        """The whole tensor, of its shape, in the format's `decoded` dtype: float32 for every quantized format.

        Raises:
            PluginError: the format is missing or broken.
            TableError: the format cannot have stored a tensor of this shape, or in these parts.
        """
        fmt = self._checked_format()  # first, so that no memory is asked for where the shape is impossible
        out = np.empty(self.shape, numpy_dtype(fmt.decoded))
        rows = out.reshape(-1, split_shape(self.shape)[2]) if out.size else out.reshape(0, 1)
        first = 0
        for tile in self.tiles(rows) if out.size else ():
            if not np.may_share_memory(tile, rows):
                rows[first : first + len(tile)] = tile
            first += len(tile)
        return out

    def sample(self, weights: int = SAMPLE) -> Array:
        """About so many decoded weights in whole rows that are spread evenly, (rows, cols). Raises as `decode` does.

        Empty where rows cannot be decoded by themselves, and the whole matrix would be much more.
        """
        fmt = self._checked_format()
        _, rows, cols = split_shape(self.shape)
        step = rows if fmt.variable else fmt.block[0] or rows
        if not prod(self.shape) or step * cols > MOST_SAMPLED:
            return np.empty((0, cols), numpy_dtype(fmt.decoded))
        starts = range(0, rows, step)
        count = min(len(starts), max(1, weights // (step * cols)))
        firsts = [starts[number * (len(starts) - 1) // max(1, count - 1)] for number in range(count)]
        parts = next(self.matrices())  # of the first matrix, where there are several
        ends = [(first, min(rows, first + step)) for first in firsts]
        return np.concatenate(
            [
                decode_rows(fmt, cut_rows(fmt, parts, *each), Geometry(each[1] - each[0], cols, self.params), self.name)
                for each in ends
            ]
        )

    def __matmul__(self, x: ArrayLike) -> Floats:
        """The product with x, (cols,) or (cols, n), as numpy computes it: float32 (rows,) or (rows, n).

        Formats of integer codes quantize x first, in blocks of 32; the format's page states the bound of the error.

        Raises:
            UsageError: x does not fit, or the tensor is no matrix.
            PluginError: the format is missing or broken.
        """
        columns = np.asarray(as_array(x, "activations"), np.float32)
        cols = self.shape[-1] if len(self.shape) == 2 else None  # `matmul` refuses anything but a matrix
        if columns.ndim not in {1, 2} or cols not in {None, len(columns)}:
            raise UsageError(
                "the activations do not fit `q @ x`",
                tensor=self.name,
                found=columns.shape,
                expected=f"({cols},) or ({cols}, n)",
                hint=f"q.matmul(x) takes (n, {cols}), a row each.",
            )
        product = self.matmul(columns[None] if columns.ndim == 1 else columns.T)
        return product.reshape(-1) if columns.ndim == 1 else product.T

    def matmul(self, x: ArrayLike, threads: int | None = None, *, exact: bool = False) -> Floats:
        """The product of activations with the transposed matrix, as a layer of a model computes it.

        Args:
            x: (n, cols), real numbers.
            threads: number of threads; None: ``FOURCC_THREADS``, or the cores that this process may use.
            exact: keep the activations as floats where the format's kernel would quantize them.

        Returns:
            float32 (n, rows).

        Raises:
            UsageError: x does not fit, or the tensor is no matrix.
            PluginError: the format is missing or broken.
        """
        activations = np.asarray(as_array(x, "activations"), np.float32)
        if len(self.shape) != 2:
            raise UsageError(
                "only a matrix can be multiplied", tensor=self.name, found=self.shape, expected="(rows, cols)"
            )
        if activations.ndim != 2 or activations.shape[1] != self.shape[1]:
            expected = f"(n, {self.shape[1]})"
            raise UsageError("the activations do not fit", tensor=self.name, found=activations.shape, expected=expected)
        return compute.matmul(self.packed, activations, threads, exact=exact)

    @cached_property
    def packed(self) -> Packed:
        """The matrix packed for its format's kernel: packed at the first product, then kept."""
        fmt = self._checked_format()
        return compute.pack(fmt, self.parts, fmt.geometry(self.shape, self.params), self.decode)

    @cached_property
    def packed_stack(self) -> PackedStack:
        """The leading dimension's matrices packed for their format's kernel, experts' for example; then kept.

        Raises:
            UsageError: the tensor is no stack of matrices, or an empty one.
            PluginError: the format is missing or broken.
            TableError: as `decode` raises it.
        """
        fmt = self._checked_format()
        if len(self.shape) != 3 or not self.shape[0]:
            expected = "(matrices, rows, cols)"
            raise UsageError(
                "the tensor is no stack of matrices", tensor=self.name, found=self.shape, expected=expected
            )
        geom = fmt.geometry(self.shape[1:], self.params)
        return compute.pack_stack(fmt, list(self.matrices()), geom, lambda number: self[number].decode())

    @property
    def _named_in_torch(self) -> str | None:
        """The type that torch has, and numpy has not, for the stored numbers."""
        name = self.format.foreign.get("torch")
        return None if name is None else str(name)

    def _stored(self) -> Array | None:
        """The numbers as they are stored, a view of the tensor's shape, where the format stores each by itself."""
        fmt = self._checked_format()
        if len(fmt.parts) > 1 or not {"numpy", "torch"} & fmt.foreign.keys():
            return None
        return self.parts[fmt.parts[0].name].reshape(self.shape)

    def _checked_format(self) -> Format:
        """The format. Raises TableError where the parts are not as it declares them."""
        fmt = self.format
        shapes = checked_shapes(fmt, self.shape, self.params, tensor=self.name)
        if set(shapes) != set(self.parts):
            raise TableError("wrong parts", tensor=self.name, found=sorted(self.parts), expected=sorted(shapes))
        for part in fmt.parts:
            array = self.parts[part.name]
            expected = ((array.size,) if part.variable else shapes[part.name], numpy_dtype(part.dtype))
            if (array.shape, array.dtype) != expected:
                raise TableError(
                    f"part {part.name!r} does not fit the format {self.tag}",
                    tensor=self.name,
                    found=shape_and_dtype(array),
                    expected=f"{expected[0]} {expected[1]}",
                )
        return fmt

    def __repr__(self) -> str:
        label = "" if self.name is None else f" {shown(self.name)}"
        shape = " x ".join(map(str, self.shape)) or "scalar"
        return f"<QMatrix{label} {self.tag} {shape}, {float(self.bits_per_weight):.4g} bits per weight>"
