"""The search for the settings of a block, such as its scale, with which its weighted squared error is least.

A block's settings are columns, as groups are in `fourcc.formats.searches.columns`. Errors are those of the weights as a
file decodes them, in float64, so that a search is never worse than its first candidate.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fourcc import Array, Floats
from fourcc.formats.searches.columns import ordered_sum


def least_error(candidates: Iterable[Array], error: Callable[[Array], Array]) -> Array:
    """For each block the candidate with the least error; of equal ones the first.

    Args:
        candidates: settings of all blocks, (..., blocks).
        error: settings -> (blocks,); NaN is no improvement, and where the first has it, nothing is.
    """
    tried = iter(candidates)
    chosen = next(tried).copy()
    least = error(chosen)
    for candidate in tried:
        found = error(candidate)
        better = found < least
        np.copyto(chosen, candidate, where=better)
        np.copyto(least, found, where=better)
    return chosen


def weighted_error(x: Floats, decoded: Floats, importance: Floats) -> Array:
    """The sum of importance * (x - decoded)^2 of each column, from the first row to the last, float64 (blocks,).

    Args:
        x: weights, float32 (n, blocks).
        decoded: as the file gives them, float32 (n, blocks).
        importance: of the errors, float32 (n, blocks).
    """
    off = np.subtract(x, decoded, dtype=np.float64)
    off *= off
    off *= importance
    return ordered_sum(off)


def fitted_scale(x: Floats, multiples: Floats, importance: Floats, fallback: Floats) -> Floats:
    """The scale of least weighted squared error for weights that are `multiples` of it, float32 (blocks,).

    It is the quotient of the sums of importance * multiple * weight and of importance * multiple^2, in float64 from the
    first row to the last; `fallback` where that is no positive number.
    """
    weighted = np.multiply(importance, multiples, dtype=np.float64)
    below = ordered_sum(weighted * multiples)
    above = ordered_sum(weighted * x)
    scale = np.divide(above, below, out=np.zeros_like(above), where=below > 0).astype(np.float32)
    return np.where((scale > 0) & np.isfinite(scale), scale, fallback)
