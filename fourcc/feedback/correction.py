"""Error feedback bound to one matrix: from the parts that its format's encoder gives to better ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from math import lcm

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_encoding import importance_of
from fourcc.compute.sparse_weights import sparse_weights
from fourcc.compute.turning import Turning
from fourcc.feedback.blocks import parts_by_blocks
from fourcc.feedback.columns import better_codes
from fourcc.feedback.factor import Factor, factored
from fourcc.feedback.factors import Factors, hessian_digest
from fourcc.feedback.feedback import Feedback
from fourcc.feedback.turned import gram_factor, turned_hessian, turned_weights
from fourcc.feedback.way import Way
from fourcc.format import Aids, Blocks, Format
from fourcc.geometry import Geometry
from fourcc.grid import Grid, even_grid, table_grid
from fourcc.parts import cut_rows
from fourcc.settings import Params
from fourcc.threads import Once

LEVELS = 1 << 22  # levels of weights that are in memory together
LANES = 8  # rows that kernels work on side by side


def rows_together(fmt: Format, cols: int, levels: int) -> int | None:
    """The rows whose codes are chosen together: whole blocks, and whole vectors of rows; None: all rows of a tile.

    Args:
        fmt: the format.
        cols: of the matrix.
        levels: that are stored of each weight.
    """
    if fmt.variable or fmt.block[0] is None:
        return None
    step = lcm(LANES, fmt.block[0])
    return step * max(1, LEVELS // (step * max(1, cols * levels)))


@attrs.frozen(eq=False)
class Correction:
    """Chooses the codes of one matrix's tiles with error feedback.

    Attributes:
        format: for which there is a `way_of`.
        options: the encoder's.
        aids: what the format needs or uses.
        feedback: the settings.
        hessian: float32 (cols, cols), of the matrix's inputs.
        factors: shared with the matrices whose inputs are the same.
        way: how the format takes feedback.
        whole: weights of the whole work that the matrix is a part of.
        name: the tensor's, for messages.
    """

    format: Format
    options: Params
    aids: Aids
    feedback: Feedback
    hessian: Floats
    factors: Factors
    way: Way
    whole: int = 0
    name: str | None = None
    _digest: Once[bytes] = attrs.field(
        init=False, default=attrs.Factory(lambda self: Once(partial(hessian_digest, self.hessian)), takes_self=True)
    )

    def encoded(self, tile: Floats, shared: object, geom: Geometry) -> Parts:
        """The parts of a tile (rows, cols) whose blocks are encoded one after the other. Raises BreachError."""
        counts = importance_of(tile, self.aids)
        whole = Blocks(tile, geom, self.options, shared, counts, self.aids, tile)
        settings = attrs.evolve(self.feedback, order="columns")
        return parts_by_blocks(self.format, whole, self._factor(settings, (), lambda: self.hessian))

    def corrected(self, parts: Parts, tile: Floats, geom: Geometry) -> Parts:
        """The parts of a tile (rows, cols) with codes that are chosen one column after the other."""
        fmt, w = self.format, tile.astype(np.float64)
        assert fmt.with_codes is not None
        if fmt.extra is not None:
            rows, cols, values = sparse_weights(fmt.extra, fmt.tag, parts, geom)
            np.subtract.at(w, (rows, cols), values)
        if fmt.turn is None:
            factor = self._factor(self.feedback, (), lambda: self.hessian)
        else:
            turning = Turning(fmt, parts, geom)
            factor = self._factor(self.feedback, turning.key, partial(turned_hessian, turning, self.hessian))
            gram = self.factors.of(turning.key, partial(gram_factor, turning, geom.cols, whole=self.whole))
            w = turned_weights(turning, gram, w)
        return fmt.with_codes(parts, self._codes(parts, w, geom, factor), geom)

    def _codes(self, parts: Parts, w: Array, geom: Geometry, factor: Factor) -> Array:
        """The codes of weights, float64 (rows, cols); where weights have many levels, those of few rows at a time."""
        fmt, runs = self.format, []
        assert fmt.codes is not None
        for first, last, grid in grids_by_rows(fmt, parts, geom):
            stored = fmt.codes(*_cut(fmt, parts, geom, first, last))
            runs.append(better_codes(w[first:last], grid, stored, factor, whole=self.whole))
        return np.concatenate(runs)

    def _factor(self, settings: Feedback, turned: Hashable, hessian: Callable[[], Floats]) -> Factor:
        def make() -> Factor:
            return factored(hessian(), settings, whole=self.whole, tensor=self.name)

        return self.factors.of((self._digest(), settings, turned), make)


def grids_by_rows(fmt: Format, parts: Parts, geom: Geometry) -> Iterator[tuple[int, int, Grid]]:
    """The levels of a tile, a run of rows at a time: its first row, the one behind its last, and their levels.

    Where they are found by decoding, either those of all runs lie evenly or none: how a tile is cut changes no code.
    """
    assert fmt.grid is not None
    if not fmt.finds_levels:
        some = fmt.grid(*_cut(fmt, parts, geom, 0, min(geom.rows, lcm(LANES, fmt.block[0] or geom.rows))))
        for first, last in _runs(fmt, geom, len(some.levels)):
            yield first, last, fmt.grid(*_cut(fmt, parts, geom, first, last))
        return
    assert fmt.with_codes is not None
    found = partial(even_grid, fmt.decode_blocks, fmt.with_codes, bounds=fmt.bounds)
    even: list[tuple[int, int, Grid]] = []
    for first, last in _runs(fmt, geom, 2):
        grid = found(*_cut(fmt, parts, geom, first, last), first_row=first)
        if grid is None:
            break
        even.append((first, last, grid))
    else:
        yield from even
        return
    for first, last in _runs(fmt, geom, fmt.bounds[1] - fmt.bounds[0] + 1):
        some_parts, some_geom = _cut(fmt, parts, geom, first, last)
        yield first, last, table_grid(fmt.decode_blocks, fmt.with_codes, some_parts, some_geom, fmt.bounds)


def _runs(fmt: Format, geom: Geometry, levels: int) -> Iterator[tuple[int, int]]:
    """The runs of rows whose codes are chosen together: the first row of each, and the one behind its last."""
    step = rows_together(fmt, geom.cols, levels) or geom.rows
    for first in range(0, geom.rows, step):
        yield first, min(geom.rows, first + step)


def _cut(fmt: Format, parts: Parts, geom: Geometry, first: int, last: int) -> tuple[Parts, Geometry]:
    """The parts of some rows, and their geometry."""
    return cut_rows(fmt, parts, first, last), Geometry(last - first, geom.cols, geom.params)
