"""Tiles: the runs of rows that a matrix is encoded and decoded in, so that memory stays bounded.

Where a matrix is cut depends on its formats alone, so bytes depend neither on the machine nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import lcm, prod
from typing import Protocol

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.compute import coding
from fourcc.dtypes import numpy_dtype
from fourcc.errors import PluginError, breaches_as
from fourcc.format import Format
from fourcc.geometry import Geometry, split_shape
from fourcc.plugins.registry import registry
from fourcc.rates.tally import timed
from fourcc.settings import Params
from fourcc.spec import FormatSpec

TILE_WEIGHTS = 1 << 18  # a constant, so that bytes never depend on the machine


def tile_bounds(rows: int, cols: int, *specs: FormatSpec) -> Iterator[tuple[int, int]]:
    """First and last row of the runs that are coded together: whole blocks of every format, about `TILE_WEIGHTS` each.

    A format that blocks whole columns, or has a part of variable length, gets the whole matrix at once. An empty matrix
    has no tile: no format is asked to encode or decode nothing.
    """
    heights = [None if spec.variable else spec.block[0] for spec in specs]
    step = 1
    for height in heights:
        step = max(1, rows) if height is None else lcm(step, height)
    count = step * max(1, TILE_WEIGHTS // max(1, cols * step))
    for first in range(0, rows if cols else 0, count):
        yield first, min(rows, first + count)


def breach(fmt: Format, verb: str, *, tensor: str | None, got: object, expected: object = None) -> PluginError:
    """The error for a format that does not keep its contract.

    Args:
        fmt: the format.
        verb: which of its functions.
        tensor: name of the tensor that it worked on.
        got: what the function returned or raised.
        expected: what it should have returned.
    """
    entry = registry.entry(fmt.tag)
    what = f"{verb} of the format {entry.name} ({entry.owner}) does not keep its contract"
    hint = f"`fourcc plugin test {fmt.tag}` shows where."
    return PluginError(what, tensor=tensor, found=got, expected=expected, hint=hint)


def decode_rows(
    fmt: Format, parts: Parts, geom: Geometry, tensor: str | None = None, *, whole: int = 0, out: Array | None = None
) -> Array:
    """Decoded rows of one matrix, (rows, cols) of the format's `decoded` dtype.

    Args:
        fmt: the format.
        parts: of the rows.
        geom: of the rows.
        tensor: its name, for messages.
        whole: number of weights of the whole work that this is a part of; large work is done by compiled code.
        out: an array that the rows may be decoded into; it is then the result.

    Raises:
        PluginError: its decoder fails, or returns something else.
    """
    with breaches_as(lambda told: breach(fmt, "decode", tensor=tensor, got=told)):
        decoded = coding.decode(fmt, parts, geom, whole=whole, out=out)
    expected = ((geom.rows, geom.cols), numpy_dtype(fmt.decoded))
    if not isinstance(decoded, np.ndarray) or (decoded.shape, decoded.dtype) != expected:
        got = shape_and_dtype(decoded)
        raise breach(fmt, "decode", tensor=tensor, got=got, expected=f"{expected[0]} {expected[1]}")
    return decoded


def shape_and_dtype(value: object) -> str:
    """An array's shape and dtype for messages, or the type of anything else."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return f"{shape} {dtype}" if shape is not None else f"a {type(value).__name__}"


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
        """The stored codes, integers (rows, cols); None where the format gives none. Raises as `decode` does."""
        if self.format.codes is None:
            return None
        with breaches_as(lambda told: breach(self.format, "codes", tensor=self.name, got=told)):
            codes = self.format.codes(self.parts, self.geom)
        shape = (self.geom.rows, self.geom.cols)
        if getattr(codes, "shape", None) != shape:
            got = getattr(codes, "shape", type(codes).__name__)
            raise breach(self.format, "codes", tensor=self.name, got=got, expected=shape)
        return codes


class StoredTensor(Protocol):
    """A tensor whose parts can be read a run of rows at a time, as a `fourcc.sources.source.SourceTensor`."""

    @property
    def name(self) -> str:
        """The tensor's name, for messages."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's true shape."""

    @property
    def params(self) -> Params:
        """The layout's parameters."""

    @property
    def format(self) -> Format:
        """The format that it is stored in. Raises PluginError where it is missing or broken."""

    @property
    def read(self) -> Callable[[int, int, int], Parts]:
        """(matrix, first row, last row) -> the parts of those rows."""


def tiles(tensor: StoredTensor, *beside: FormatSpec) -> Iterator[Tile]:
    """The tiles of a source's tensor, matrix after matrix; none where it is empty.

    Args:
        tensor: of an opened source.
        beside: formats whose blocks the tiles must not cut either.

    Raises:
        PluginError: the format is missing or broken.
        InputError: the bytes are damaged or do not fit the format.
    """
    fmt = tensor.format
    if not prod(tensor.shape):
        return
    lead, rows, cols = split_shape(tensor.shape)
    for matrix in range(prod(lead)):
        for first, last in tile_bounds(rows, cols, fmt, *beside):
            yield read_tile(tensor, fmt, matrix, first, last)


def read_tile(tensor: StoredTensor, fmt: Format, matrix: int, first: int, last: int) -> Tile:
    """The rows first..last of one of a tensor's matrices; `first` is a multiple of the block's rows."""
    geom = Geometry(last - first, split_shape(tensor.shape)[2], tensor.params)
    return Tile(tensor.name, fmt, geom, tensor.read(matrix, first, last), prod(tensor.shape))


def decoded_tile(tensor: StoredTensor, fmt: Format, matrix: int, first: int, last: int, whole: int) -> Array:
    """As `read_tile`, decoded; the time is counted for the rates of work on `whole` weights."""
    with timed(f"decode {fmt.tag}", (last - first) * split_shape(tensor.shape)[2], whole):
        return read_tile(tensor, fmt, matrix, first, last).decode()


def decoded_rows(tensor: StoredTensor, fmt: Format, matrix: int, first: int, last: int) -> Array:
    """Any run of a matrix's rows, decoded: whole blocks are read, then cut."""
    _, rows, _ = split_shape(tensor.shape)
    step = rows if fmt.variable else fmt.block[0] or rows
    start, end = first // step * step, min(rows, -(-last // step) * step)
    return read_tile(tensor, fmt, matrix, start, end).decode()[first - start : last - start]
