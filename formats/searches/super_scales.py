"""Scales of scales: the scales of a super-block's groups as whole multiples of one.

Groups are columns: see `fourcc.formats.searches.columns`; the procedures are those of ``specs/searches.md``.
"""

import numpy as np

from fourcc.format import Floats
from fourcc.formats.searches.columns import NOTHING, finite_inverse, first_largest, ordered_sum, quotient, rounded
from fourcc.formats.searches.scale_search import TENTH, sweeps


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def positive_scale(x: Floats, weights: Floats, top: int) -> tuple[Floats, Floats]:
    """The scale and codes 0 .. top of numbers that are not negative: scales of scales.

    Nine tries take the largest number to top + k / 10, k = -4 .. 4; the one of least weighted error gives the first
    codes, which are then improved in turn as in `refined_scale`.

    Args:
        x: (n, groups).
        weights: of the errors, (n, groups).
        top: largest code.

    Returns:
        Scales (groups,), and codes (n, groups).
    """
    peak = np.maximum(x.max(axis=0), np.float32(0))
    fine = peak >= NOTHING
    peak = np.where(fine, peak, np.float32(1))
    best = np.full(peak.shape, np.inf, np.float32)
    inverse = np.empty_like(peak)
    for number in (0, -4, -3, -2, -1, 1, 2, 3, 4):
        tried = finite_inverse(TENTH * np.float32(number) + np.float32(top), peak)
        error: Floats = x - np.float32(1) / tried * rounded(tried * x, 0, top)
        total = ordered_sum(weights * error * error)
        better = total < best
        np.copyto(best, total, where=better)
        np.copyto(inverse, tried, where=better)
    codes = rounded(inverse * x, 0, top)
    above, below = ordered_sum(weights * x * codes), ordered_sum(weights * codes * codes)
    sweeps(x, weights, codes, above, below, 0, top)
    return np.where(fine, quotient(above, below), np.float32(0)), np.where(fine, codes, np.float32(0))


def from_largest(values: Floats, top: int) -> tuple[Floats, Floats]:
    """Numbers that are not negative as multiples of one, the largest `top` times it.

    Args:
        values: (n, groups).
        top: largest multiple.

    Returns:
        The one (groups,), and the multiples 0 .. top (n, groups).
    """
    peak = np.maximum(values.max(axis=0), np.float32(0))
    inverse = finite_inverse(np.float32(top), peak)
    return peak / np.float32(top), rounded(inverse * values, 0, top)


def largest_of_either_sign(values: Floats, lowest: int, highest: int) -> tuple[Floats, Floats]:
    """Numbers of either sign as multiples of one, the first of largest magnitude `lowest` times it.

    Args:
        values: (n, groups).
        lowest: least multiple, below 0.
        highest: largest multiple.

    Returns:
        The one (groups,), 0 where all are 0; and the multiples (n, groups).
    """
    peak = first_largest(values)
    inverse = finite_inverse(np.float32(lowest), peak)
    multiples = rounded(inverse * values, lowest, highest)
    return np.divide(np.float32(1), inverse, out=np.zeros_like(peak), where=inverse != 0), multiples
