"""What searches for scales share: many groups of weights at once, each a column.

Arrays are float32 (n, groups), so that each step is one operation on all groups, and every sum goes from a group's
first weight to its last. Each operation is rounded to float32 by itself: no fused multiply-add, so that any machine,
and any compiler that is told so, makes the same bytes. Codes are whole numbers in float32. See ``specs/searches.md``.
"""

import numpy as np

from fourcc.format import Floats

NOTHING = np.float32(1e-15)  # a group whose largest magnitude is below this is zero


def as_groups(w: Floats, size: int) -> Floats:
    """Weights (...) cut into groups of `size`, one a column: (size, groups)."""
    return np.ascontiguousarray(w.reshape(-1, size).T)


def ordered_sum(terms: Floats) -> Floats:
    """Sum of each column, from the first row to the last in float32: (n, groups) -> (groups,)."""
    total: Floats = terms[0].copy()
    for term in terms[1:]:
        total += term
    return total


def first_largest(x: Floats) -> Floats:
    """The element of largest magnitude of each column, with its sign; of equals the first: (n, groups) -> (groups,)."""
    at = np.abs(x).argmax(axis=0)
    found: Floats = np.take_along_axis(x, at[None], axis=0)[0]
    return found


def least(x: Floats) -> Floats:
    """The least element of each column, of equals (0 and -0) the first: (n, groups) -> (groups,)."""
    found: Floats = np.take_along_axis(x, x.argmin(axis=0)[None], axis=0)[0]
    return found


def rounded(x: Floats, low: int, high: int) -> Floats:
    """The nearest whole numbers, half to even, within bounds; in place."""
    np.rint(x, out=x)
    return np.clip(x, np.float32(low), np.float32(high), out=x)


@np.errstate(divide="ignore", over="ignore")
def finite_inverse(steps: np.float32, extent: Floats) -> Floats:
    """Steps by extent; 0 where a group has none, or so little that it is infinite: all its codes are then 0."""
    inverse: Floats = steps / extent
    inverse[np.isinf(inverse)] = 0
    return inverse


def quotient(above: Floats, below: Floats) -> Floats:
    """A quotient of sums; 0 where the lower one is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
