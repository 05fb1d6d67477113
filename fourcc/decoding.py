"""From a source's parts to decoded tiles: what surrounds a format's decoder, as `encoding` surrounds its encoder.

Plugins run here, so here they are held to their contract: an array of the tile's shape and the declared dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import FourccError, PluginError
from fourcc.qmatrix import numpy_dtype, tile_bounds
from fourcc.registry import registry
from fourcc.sources.source import SourceTensor
from fourcc.spec import FormatSpec, Geometry, split_shape

if TYPE_CHECKING:
    from fourcc.format import Array, Format, Parts


@attrs.frozen(eq=False)
class Tile:
    """A run of rows of one matrix of a tensor, as it is stored.

    Attributes:
        tensor: the tensor.
        format: its format.
        matrix: which of the leading dimensions' matrices.
        first: first row.
        geom: rows, columns and parameters.
        parts: the stored arrays.
    """

    tensor: SourceTensor
    format: Format
    matrix: int
    first: int
    geom: Geometry
    parts: Parts

    def decode(self) -> Array:
        """The weights, (rows, cols) of the format's `decoded` dtype. Raises PluginError where the format breaks."""
        dtype = numpy_dtype(self.format.spec.decoded)
        decoded = self._run("decode", self.format.decode)
        if decoded.dtype != dtype:
            raise self._breach("decode", f"dtype {decoded.dtype}", dtype)
        return decoded

    def codes(self) -> Array | None:
        """The stored codes, integers (rows, cols), or None where the format shows none."""
        return None if self.format.codes is None else self._run("codes", self.format.codes)

    def _run(self, verb: str, call: Callable[[Parts, Geometry], Array]) -> Array:
        try:
            array = call(self.parts, self.geom)
        except (FourccError, MemoryError):
            raise
        except Exception as error:
            raise self._breach(verb, f"{type(error).__name__}: {error}", None) from error
        shape = (self.geom.rows, self.geom.cols)
        if getattr(array, "shape", None) != shape:
            raise self._breach(verb, getattr(array, "shape", type(array).__name__), shape)
        return array

    def _breach(self, verb: str, found: object, expected: object) -> PluginError:
        entry = registry.entry(self.tensor.tag)
        what = f"{verb} of the format {entry.name} ({entry.owner}) does not keep its contract"
        return PluginError(what, tensor=self.tensor.name, found=found, expected=expected)


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
    return Tile(tensor, found, matrix, first, geom, tensor.read(matrix, first, last))
