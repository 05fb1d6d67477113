"""Sums of products of a matrix's inputs, from which its Hessian follows; without BLAS, whose bits differ by machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute import matmul, pack_decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.arrays import Floats

ROWS = 256  # of a Hessian, at a time


class HessianSums:
    """The sum of x x^T over inputs: float64, to which the products of each run of inputs are added, made in float32.

    Args:
        cols: columns of the matrix.
        threads: number of threads; the sums do not depend on it.

    Attributes:
        sums: float64 (cols, cols).
    """

    def __init__(self, cols: int, threads: int) -> None:
        self.sums = np.zeros((cols, cols))
        self._threads = threads

    def add(self, x: Floats) -> None:
        """Adds inputs, float32 (tokens, cols)."""
        across = np.ascontiguousarray(x.T)  # (cols, tokens)
        self.sums += matmul(pack_decoded(across), across, self._threads, exact=True)  # (cols, cols)


def mean_products(sums: NDArray[np.float64], tokens: int) -> Floats:
    """E[x x^T], float32 (cols, cols), symmetric: a kernel may sum x_i x_j in another order than x_j x_i.

    The lower triangle counts. It is made some rows at a time, so that memory holds the sums and the result.

    Args:
        sums: of x x^T, float64 (cols, cols).
        tokens: number of inputs.
    """
    cols = len(sums)
    means = np.zeros((cols, cols), np.float32)
    for first in range(0, cols, ROWS):
        rows = slice(first, min(first + ROWS, cols))
        some = (sums[rows, : rows.stop] / max(1, tokens)).astype(np.float32)  # (rows, columns up to the diagonal)
        lower = np.tril(some[:, first:])
        means[rows, rows] = lower + np.tril(lower, -1).T
        means[rows, :first] = some[:, :first]
        means[:first, rows] = some[:, :first].T
    return means
