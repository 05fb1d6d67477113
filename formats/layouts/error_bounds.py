"""Measures for error bounds: one number a block, repeated for every weight of the block.

A bound is a format's promise, derived on its page: (weights, geom) -> how far each decoded weight may be from its
original; both are float64 (rows, cols).
"""

import numpy as np

from fourcc import Array, Geometry

F32_ULP = 2.0**-24  # half an ulp of float32, relative
F32_LEAST = 2.0**-149  # the smallest float32
F16_LEAST = 2.0**-25  # half the smallest float16


def exact(w: Array, geom: Geometry) -> Array:
    """Zeros: nothing is lost."""
    return np.zeros_like(w)


def over_blocks(w: Array, rows: int, cols: int, measure: np.ufunc) -> Array:
    """A reduction of each block of rows x cols, repeated for its weights; blocks at the edges may be smaller.

    Args:
        w: float64 (m, n).
        rows: of a block.
        cols: of a block.
        measure: ``np.maximum``, ``np.minimum`` or ``np.add``.
    """
    if not w.size:
        return w.copy()
    rows, cols = min(rows, w.shape[0]), min(cols, w.shape[1])
    reduced = measure.reduceat(w, np.arange(0, w.shape[0], rows), axis=0)  # (blocks, n)
    reduced = measure.reduceat(reduced, np.arange(0, w.shape[1], cols), axis=1)  # (blocks, blocks)
    return reduced.repeat(rows, axis=0)[: w.shape[0]].repeat(cols, axis=1)[:, : w.shape[1]]


def largest(w: Array, rows: int, cols: int) -> Array:
    """max |w| of each block."""
    return over_blocks(np.abs(w), rows, cols, np.maximum)


def extent(w: Array, rows: int, cols: int) -> Array:
    """max w - min w of each block."""
    return over_blocks(w, rows, cols, np.maximum) - over_blocks(w, rows, cols, np.minimum)


def count(w: Array, rows: int, cols: int) -> Array:
    """The number of weights in each block."""
    return over_blocks(np.ones_like(w), rows, cols, np.add)
