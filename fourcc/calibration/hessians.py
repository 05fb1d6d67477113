"""Sums of products of a matrix's inputs, from which its Hessian follows; without BLAS, whose bits differ by machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute import matmul, pack_decoded

if TYPE_CHECKING:
    from fourcc.arrays import Floats


class HessianSums:
    """The sum of x x^T over inputs: float64, to which the products of each batch are added, made in float32.

    Args:
        cols: columns of the matrix.
        threads: number of threads; the sums do not depend on it.
    """

    def __init__(self, cols: int, threads: int) -> None:
        self._sums = np.zeros((cols, cols))
        self._threads = threads

    def add(self, x: Floats) -> None:
        """Adds inputs, float32 (tokens, cols)."""
        across = np.ascontiguousarray(x.T)  # (cols, tokens)
        self._sums += matmul(pack_decoded(across), across, self._threads, exact=True)  # (cols, cols)

    def mean(self, tokens: int) -> Floats:
        """E[x x^T], float32 (cols, cols), symmetric: a kernel may sum x_i x_j in another order than x_j x_i."""
        lower = np.tril((self._sums / max(1, tokens)).astype(np.float32))
        lower += np.tril(lower, -1).T
        return lower
