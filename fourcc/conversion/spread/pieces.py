"""Cuts tensors into pieces, by their shapes and formats alone, never by the number of workers."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, prod

import attrs

from fourcc.container.layout import CHUNK
from fourcc.conversion.pipeline import Step
from fourcc.dtypes import itemsize
from fourcc.format import Format
from fourcc.geometry import split_shape
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.spec import FormatSpec
from fourcc.tiles import tile_bounds

PIECE_WEIGHTS = 1 << 25  # about; half a second to a minute of work, and 20 MB at 5 bits a weight


@attrs.frozen
class TensorPiece:
    """A part of a tensor: whole matrices of its leading dimensions, or rows of one matrix.

    Attributes:
        first: number of the first matrix.
        last: number behind the last one.
        top: first row; 0 in a piece of whole matrices.
        bottom: the row behind the last one.
        cols: columns.
        whole: whether it is the whole tensor.
    """

    first: int
    last: int
    top: int
    bottom: int
    cols: int
    whole: bool = False

    @property
    def weights(self) -> int:
        """Number of weights."""
        return (self.last - self.first) * (self.bottom - self.top) * self.cols

    @property
    def shape(self) -> tuple[int, int, int]:
        """Matrices, rows, columns."""
        return self.last - self.first, self.bottom - self.top, self.cols

    def starts(self, spec: FormatSpec, step: Step) -> dict[str, int]:
        """Bytes of each part of the tensor that lie before the piece's."""
        _, rows, cols = split_shape(step.source.shape)
        params = step.decision.params
        before = part_bytes(spec, (self.first, rows, cols), params)
        above = part_bytes(spec, (self.top, cols), params) if self.top else {}
        return {name: nbytes + above.get(name, 0) for name, nbytes in before.items()}


def part_bytes(spec: FormatSpec, shape: tuple[int, ...], params: Params) -> dict[str, int]:
    """Bytes of each part of a tensor; 0 for one of variable length."""
    shapes = spec.part_shapes(shape, params)
    return {part.name: prod(shapes[part.name]) * itemsize(part.dtype) for part in spec.parts}


def pieces(step: Step) -> Iterator[TensorPiece]:
    """The pieces of a tensor in the order of its weights.

    A tensor is cut between matrices of its leading dimensions; a matrix is cut between rows unless something spans it:
    a part of the whole matrix or of variable length, or what `prepare` computes.
    """
    lead, rows, cols = split_shape(step.source.shape)
    count, size = prod(lead), rows * cols
    if step.copied or count * size <= 2 * PIECE_WEIGHTS or registry[step.decision.tag].variable:
        yield TensorPiece(0, count, 0, rows, cols, whole=True)
        return
    wanted, stored = registry[step.decision.tag], step.source.format
    if size > 2 * PIECE_WEIGHTS and _cuttable(wanted):
        for matrix in range(count):
            for top, bottom in _runs(rows, cols, stored, wanted, step):
                yield TensorPiece(matrix, matrix + 1, top, bottom, cols)
        return
    few = max(1, PIECE_WEIGHTS // size)
    for first in range(0, count, few):
        yield TensorPiece(first, min(count, first + few), 0, rows, cols, whole=count <= few)


def _cuttable(fmt: Format) -> bool:
    return fmt.prepare is None and all(part.rows is not None and not part.variable for part in fmt.parts)


def _runs(rows: int, cols: int, stored: Format, wanted: Format, step: Step) -> Iterator[tuple[int, int]]:
    """First and last rows of pieces: whole tiles, and whole checksums of the largest part where that is possible."""
    tiles = list(tile_bounds(rows, cols, stored, wanted))
    height = tiles[0][1] - tiles[0][0]
    most = max(part_bytes(wanted, (height, cols), step.decision.params).values())
    unit = CHUNK // gcd(CHUNK, most)  # tiles
    if unit * height * cols > 2 * PIECE_WEIGHTS:
        unit = 1
    run = unit * height * max(1, PIECE_WEIGHTS // (unit * height * cols))
    for top in range(0, rows, run):
        yield top, min(rows, top + run)
