"""Operations for searches that treat many groups of weights at once, one group a column.

Arrays are float32 (n, groups). So a step of a search is one operation on all groups, and a sum goes from a group's
first weight to its last. Every operation is rounded to float32 by itself, without fused multiply-add: so every machine
and every compiler that obeys gives the same bytes. Codes are integers held in float32. See ``specs/searches.md``.
"""

import numpy as np

from fourcc import Array, Floats

NOTHING = np.float32(1e-15)  # a group whose largest magnitude is below this counts as zero


def as_groups(w: Floats, size: int) -> Floats:
    """Weights (...), cut into groups of `size`, one group a column: (size, groups)."""
    return np.ascontiguousarray(w.reshape(-1, size).T)


def as_float16(x: Floats) -> Floats:
    """Rounded to float16, as a file holds it."""
    return x.astype(np.float16).astype(np.float32)


def ordered_sum(terms: Array) -> Array:
    """The sum of each column in its dtype, from the first row to the last: (n, groups) -> (groups,)."""
    total: Array = terms[0].copy()
    for term in terms[1:]:
        total += term
    return total


def first_largest(x: Floats) -> Floats:
    """The signed element of largest magnitude of each column; ties go to the first: (n, groups) -> (groups,)."""
    at = np.abs(x).argmax(axis=0)
    peak: Floats = np.take_along_axis(x, at[None], axis=0)[0]
    return peak


def least(x: Floats) -> Floats:
    """The least element of each column; ties, 0 and -0 too, go to the first: (n, groups) -> (groups,)."""
    low: Floats = np.take_along_axis(x, x.argmin(axis=0)[None], axis=0)[0]
    return low


def rounded(x: Floats, low: int, high: int) -> Floats:
    """Rounds to the nearest integers, half to even, and clamps to low .. high; in place."""
    np.rint(x, out=x)
    return np.clip(x, np.float32(low), np.float32(high), out=x)


@np.errstate(divide="ignore", over="ignore")
def finite_inverse(steps: np.float32, extent: Floats) -> Floats:
    """The quotient steps / extent; 0 where the extent is 0 or the quotient infinite, so that all codes are 0."""
    inverse: Floats = steps / extent
    inverse[np.isinf(inverse)] = 0
    return inverse


def quotient(above: Floats, below: Floats) -> Floats:
    """The quotient of two sums, above / below; 0 where `below` is not above 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
