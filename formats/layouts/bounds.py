"""What the formats' error bounds share: a measure of each block, spread over the block's weights.

A bound is a format's promise, as its page derives it: (weights, geom) -> how far each decoded weight may be from its
original, float64 (rows, cols) both.
"""

import numpy as np

from fourcc.format import Array
from fourcc.spec import Geometry

F32_ULP = 2.0**-24  # relative half step of float32
F32_LEAST = 2.0**-149
F16_LEAST = 2.0**-25  # half the smallest float16


def exact(w: Array, geom: Geometry) -> Array:  # noqa: ARG001 - the seam's signature
    """Nothing is lost."""
    return np.zeros_like(w)


def over_blocks(w: Array, rows: int, cols: int, measure: np.ufunc) -> Array:
    """A reduction of each block of rows x cols, spread over the block's weights; blocks at the ends may be smaller.

    Args:
        w: float64 (m, n).
        rows: of a block.
        cols: of a block.
        measure: ``np.maximum``, ``np.minimum`` or ``np.add``.
    """
    if not w.size:
        return w.copy()
    found = measure.reduceat(w, np.arange(0, w.shape[0], rows), axis=0)  # (blocks, n)
    found = measure.reduceat(found, np.arange(0, w.shape[1], cols), axis=1)  # (blocks, blocks)
    return found.repeat(rows, axis=0)[: w.shape[0]].repeat(cols, axis=1)[:, : w.shape[1]]


def largest(w: Array, rows: int, cols: int) -> Array:
    """Max |w| of each block."""
    return over_blocks(np.abs(w), rows, cols, np.maximum)


def extent(w: Array, rows: int, cols: int) -> Array:
    """Max w - min w of each block."""
    return over_blocks(w, rows, cols, np.maximum) - over_blocks(w, rows, cols, np.minimum)


def count(w: Array, rows: int, cols: int) -> Array:
    """Weights of each block."""
    return over_blocks(np.ones_like(w), rows, cols, np.add)
