"""Times products with one activation, as a network runs them when it generates; each format's shape once.

Numbers are of this machine and this moment: the least of a few rounds, in which the matrices take turns, so that a busy
moment hits all alike. A matrix that the caches hold is read from there, as in a small model.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.programs import Program
from fourcc.qmatrix import QMatrix

ROUNDS = 5
WORK = 1 << 22  # weights that a round multiplies, at least: a millisecond or two
MOST = 256  # products of a round, at most

Key = tuple[object, ...]  # of matrices that take the same time


class ProductTimer:
    """Seconds of products; a matrix like one that was timed before is not timed again.

    Args:
        threads: number of threads.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._known: dict[Key, float] = {}

    def seconds(self, matrices: Sequence[QMatrix]) -> list[float]:
        """Seconds of one product with one activation, of each matrix."""
        new = {_key(matrix): matrix for matrix in matrices if _key(matrix) not in self._known}
        runs = {key: self._program(matrix) for key, matrix in new.items()}
        for _ in range(ROUNDS):
            for key, (program, count) in runs.items():
                begun = perf_counter()
                program.run()
                spent = (perf_counter() - begun) / count
                self._known[key] = min(spent, self._known.get(key, spent))
        return [self._known[_key(matrix)] for matrix in matrices]

    def _program(self, matrix: QMatrix) -> tuple[Program, int]:
        """A program of some products, which has run once, and their number."""
        rows, cols = matrix.shape
        count = max(1, min(MOST, WORK // (rows * cols)))
        sizes = Sizes(1, 1, 2, 1, 1e-5)  # of a network without attention
        program = Program(1, sizes, np.zeros(1, np.int64), self._threads)
        x, out = Buffer(1, cols), Buffer(1, rows)
        x.floats[...] = 1
        for _ in range(count):
            program.product(x, [(matrix.packed, out)])
        program.run()
        return program, count


def _key(matrix: QMatrix) -> Key:
    return matrix.tag, matrix.shape, tuple(sorted(matrix.params.items()))
