"""Sparse weights of a format, packed row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.sparse_weights import sparse_weights
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
        assert fmt.extra is not None
        rows, cols, values = sparse_weights(fmt.extra, fmt.tag, parts, geom)
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
