"""Scales of scales: the scales of a super-block's groups as integer multiples of one scale.

Groups are columns, as `fourcc.formats.searches.columns` says; ``specs/searches.md`` describes the procedures.
"""

import numpy as np

from fourcc import Floats
from fourcc.formats.searches.columns import (
    NOTHING,
    as_groups,
    finite_inverse,
    first_largest,
    ordered_sum,
    quotient,
    rounded,
)
from fourcc.formats.searches.scale_search import TENTH, sweeps


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def positive_scale(x: Floats, weights: Floats, top: int) -> tuple[Floats, Floats]:
    """The scale and the codes 0 .. top of numbers that are not negative.

    Nine tries map the largest number to top + k / 10, k = -4 .. 4. The try with the least weighted error gives the
    first codes, which are then improved one by one as in `refined_scale`.

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
    """Numbers that are not negative as integer multiples of a unit; the largest number is `top` units.

    Args:
        values: (n, groups).
        top: largest multiple.

    Returns:
        Units (groups,), and multiples 0 .. top (n, groups).
    """
    peak = np.maximum(values.max(axis=0), np.float32(0))
    inverse = finite_inverse(np.float32(top), peak)
    return peak / np.float32(top), rounded(inverse * values, 0, top)


def largest_of_either_sign(values: Floats, lowest: int, highest: int) -> tuple[Floats, Floats]:
    """Numbers of either sign as integer multiples of a unit; the first of largest magnitude is `lowest` units.

    Args:
        values: (n, groups).
        lowest: least multiple, below 0.
        highest: largest multiple.

    Returns:
        Units (groups,), 0 where all numbers are 0; and multiples (n, groups).
    """
    peak = first_largest(values)
    inverse = finite_inverse(np.float32(lowest), peak)
    multiples = rounded(inverse * values, lowest, highest)
    return np.divide(np.float32(1), inverse, out=np.zeros_like(peak), where=inverse != 0), multiples


def scales_and_minima(
    scale: Floats, offset: Floats, total: Floats | None, subs: int, top: int
) -> list[tuple[Floats, Floats]]:
    """The stored scales of super-blocks, and their stored minima: minus their offsets.

    Args:
        scale: of sub-blocks (subs * n,), at least 0.
        offset: of sub-blocks (subs * n,), at most 0.
        total: sums of the error weights of sub-blocks (subs * n,); None: the largest number sets the unit.
        subs: sub-blocks of a super-block.
        top: largest multiple.

    Returns:
        Units (n,) and multiples (subs, n): of the scales, then of the minima.
    """
    pairs = as_groups(scale, subs), as_groups(-offset, subs)
    if total is None:
        return [from_largest(numbers, top) for numbers in pairs]
    counted = as_groups(total, subs)
    return [positive_scale(numbers, counted, top) for numbers in pairs]
