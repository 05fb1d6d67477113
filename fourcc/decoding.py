"""The tiles of a source's tensor, one after the other in a bounded window of memory: stored parts, weights, codes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import FourccError, memory_is_short
from fourcc.qmatrix import breach, decode_rows, tile_bounds
from fourcc.sources.source import SourceTensor
from fourcc.spec import FormatSpec, Geometry, split_shape

if TYPE_CHECKING:
    from fourcc.format import Array, Format, Parts


@attrs.frozen(eq=False)
class Tile:
    """A run of rows of one matrix of a tensor, as it is stored.

    Attributes:
        name: the tensor's.
        format: the tensor's.
        geom: rows, columns and parameters.
        parts: the stored arrays.
        whole: weights of the whole tensor.
    """

    name: str
    format: Format
    geom: Geometry
    parts: Parts
    whole: int = 0

    def decode(self) -> Array:
        """The weights, (rows, cols) of the format's `decoded` dtype. Raises PluginError where the format breaks."""
        return decode_rows(self.format, self.parts, self.geom, self.name, whole=self.whole)

    def codes(self) -> Array | None:
        """The stored codes, integers (rows, cols), or None where the format shows none. Raises as `decode` does."""
        if self.format.codes is None:
            return None
        try:
            codes = self.format.codes(self.parts, self.geom)
        except (FourccError, MemoryError):
            raise
        except Exception as error:
            if memory_is_short(error):
                raise MemoryError from error
            got = f"{type(error).__name__}: {error}"
            raise breach(self.format, "codes", tensor=self.name, got=got) from error
        shape = (self.geom.rows, self.geom.cols)
        if getattr(codes, "shape", None) != shape:
            got = getattr(codes, "shape", type(codes).__name__)
            raise breach(self.format, "codes", tensor=self.name, got=got, expected=shape)
        return codes


def tiles(tensor: SourceTensor, *beside: FormatSpec) -> Iterator[Tile]:
    """The tiles of a tensor, matrix after matrix; none where it is empty.

    Args:
        tensor: of an opened source.
        beside: formats whose blocks the tiles' bounds must go with too.

    Raises:
        PluginError: the format is missing or broken.
        InputError: the bytes are damaged or do not fit the format.
    """
    found = tensor.format
    if not prod(tensor.shape):
        return
    lead, rows, cols = split_shape(tensor.shape)
    for matrix in range(prod(lead)):
        for first, last in tile_bounds(rows, cols, found.spec, *beside):
            yield read_tile(tensor, found, matrix, first, last)


def read_tile(tensor: SourceTensor, found: Format, matrix: int, first: int, last: int) -> Tile:
    """The rows first..last of one of a tensor's matrices; `first` is a multiple of the block's rows."""
    geom = Geometry(last - first, split_shape(tensor.shape)[2], tensor.params)
    return Tile(tensor.name, found, geom, tensor.read(matrix, first, last), prod(tensor.shape))


def decoded_rows(tensor: SourceTensor, stored: Format, matrix: int, first: int, last: int) -> Array:
    """Any run of a matrix's rows, decoded: reads whole blocks and cuts."""
    _, rows, _ = split_shape(tensor.shape)
    step = rows if stored.spec.variable else stored.spec.block[0] or rows
    start, end = first // step * step, min(rows, -(-last // step) * step)
    return read_tile(tensor, stored, matrix, start, end).decode()[first - start : last - start]
