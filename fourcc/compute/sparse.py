"""Sparse weights of a format, packed row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.errors import FourccError, PluginError, memory_is_short
from fourcc.kernels.descriptors import matrix

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats, Parts
    from fourcc.format import Format
    from fourcc.geometry import Geometry


@attrs.frozen(eq=False)
class SparseRows:
    """Sparse weights as `fourcc.kernels.fusing.sparse_rows` reads them.

    Attributes:
        starts: int64 (rows + 1,): the number of each row's first weight, then of all weights.
        cols: int32 (k,).
        values: float32 (k,).
        descriptor: int64, of these arrays.
    """

    starts: Array
    cols: Array
    values: Floats
    descriptor: Array

    @classmethod
    def of(cls, fmt: Format, parts: Parts, geom: Geometry) -> SparseRows:
        """The sparse weights of a matrix.

        Raises:
            PluginError: the format's `extra` fails, or gives places that the matrix does not have, as it may where
                the stored bytes are damaged.
        """
        rows, cols, values = sparse_weights(fmt, parts, geom)
        order = np.argsort(rows, kind="stable")  # what is at one place is added in the order in which it came
        starts = np.zeros(geom.rows + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=geom.rows), out=starts[1:])
        places = cols[order].astype(np.int32)
        arrays = (starts, places, values[order])
        return cls(*arrays, matrix(geom.rows, geom.cols, arrays))

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays that take memory."""
        return self.starts, self.cols, self.values

    def add_to(self, out: Floats, rows: Array) -> None:
        """Adds the weights of rows by number to the decoded ones, float32 (count, cols)."""
        with np.errstate(all="ignore"):
            for place, row in zip(out, rows, strict=True):
                some = slice(self.starts[row], self.starts[row + 1])
                np.add.at(place, self.cols[some], self.values[some])


def sparse_weights(fmt: Format, parts: Parts, geom: Geometry) -> tuple[Array, Array, Floats]:
    """Rows, columns and float32 values, as the format gives them, checked. Raises PluginError."""
    assert fmt.extra is not None
    what = f"extra of the format {fmt.tag} does not keep its contract"
    try:
        with np.errstate(all="ignore"):  # parts of a damaged file may hold anything
            given = fmt.extra(parts, geom)  # noqa: S610 - no method of Django's
        rows, cols, values = (np.asarray(each) for each in (given.rows, given.cols, given.values))
    except FourccError:
        raise
    except (Exception, SystemExit) as error:  # or a command would end, as if it were done
        if memory_is_short(error):
            raise MemoryError from error
        raise PluginError(what, found=f"{type(error).__name__}: {error}") from error
    shapes = rows.shape, cols.shape, values.shape
    if rows.ndim != 1 or len(set(shapes)) != 1:
        raise PluginError(what, found=f"shapes {shapes}", expected="three of (k,)")
    kinds = rows.dtype.kind, cols.dtype.kind, values.dtype.kind
    if not (kinds[0] in "iu" and kinds[1] in "iu" and kinds[2] == "f"):
        found = f"{rows.dtype}, {cols.dtype}, {values.dtype}"
        raise PluginError(what, found=found, expected="integers, integers, floats")
    for name, places, size in (("rows", rows, geom.rows), ("columns", cols, geom.cols)):
        if places.size and not (places.min() >= 0 and places.max() < size):
            raise PluginError(what, found=f"{name} {places.min()} to {places.max()}", expected=f"0 to {size - 1}")
    with np.errstate(over="ignore", invalid="ignore"):
        return rows.astype(np.int64), cols, values.astype(np.float32, copy=False)
