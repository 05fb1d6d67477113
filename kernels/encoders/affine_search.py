"""The search for the scales and minima of sixteen groups, as in `fourcc.formats.searches`, one group a lane.

The search does not keep the codes: the inverse scale and the initial minimum of the best try make them again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.encoders.lanes import (
    IMPORTANCE,
    INFINITY,
    NO_TERM,
    ONE,
    TRIED,
    ZERO,
    X,
    finite_inverse,
    nearest,
)
from fourcc.kernels.simd.arithmetic import absolute, add, divide, floats_of, multiply, subtract
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_floats, store
from fourcc.kernels.simd.select import where_equal, where_less

AffineSearch = Callable[[int], tuple[Lanes, Lanes, Lanes, Lanes]]
Attempt = Callable[[Lanes, Lanes, Lanes, Lanes, int], tuple[Lanes, Lanes, Lanes]]
ErrorOf = Callable[[Lanes, Lanes, int], Lanes]


def affine_search(
    size: int, top: int, first: float, increment: float, last: int, *, by_magnitude: bool = False
) -> AffineSearch:
    """The search among scales that map the extent of a group to top + first + k * increment, for k = 0 .. last.

    Args:
        size: weights of a group.
        top: largest code.
        first: added to `top` in the first try.
        increment: from one try to the next.
        last: number of the last try.
        by_magnitude: whether the search sums the magnitudes of errors instead of their squares.

    Returns:
        (scratch) -> scales, lower bounds (at most 0), and the inverse scales and lower bounds that make the codes.
        It reads X and IMPORTANCE, and writes TRIED.
    """
    code_top, begin, onward, end = np.float32(top), np.float32(first), np.float32(increment), VECTOR * size
    attempt, error_of = _attempt(end, code_top), _error_of(end, by_magnitude=by_magnitude)

    def search(scratch: int) -> tuple[Lanes, Lanes, Lanes, Lanes]:
        low, high, sum_w, sum_x = _extremes(end, scratch)
        zero = floats_of(ZERO)
        base, inverse = low, finite_inverse(floats_of(code_top), subtract(high, low))
        scale = where_equal(inverse, zero, zero, divide(floats_of(ONE), inverse))
        attempt(inverse, low, sum_w, sum_x, scratch)
        best = error_of(scale, low, scratch)
        for number in range(last + 1):
            steps = begin + onward * np.float32(number) + code_top
            tried = finite_inverse(floats_of(steps), subtract(high, low))
            new_scale, new_low, determinant = attempt(tried, low, sum_w, sum_x, scratch)
            error = error_of(new_scale, new_low, scratch)
            error = where_less(zero, determinant, error, floats_of(INFINITY))  # else no scale: never the better try
            scale = where_less(error, best, new_scale, scale)
            inverse, base = where_less(error, best, tried, inverse), where_less(error, best, low, base)
            low = where_less(error, best, new_low, low)
            best = where_less(error, best, error, best)
        return scale, low, inverse, base

    return search


def _attempt(end: int, code_top: np.float32) -> Attempt:
    """The function for one try, with groups of `end` bytes of vectors and codes up to `code_top`."""

    def attempt(inverse: Lanes, low: Lanes, sum_w: Lanes, sum_x: Lanes, scratch: int) -> tuple[Lanes, Lanes, Lanes]:
        """The scale and lower bound of least squares for the codes of an inverse scale, and the determinant."""
        sum_l, sum_ll, sum_xl = floats_of(NO_TERM), floats_of(NO_TERM), floats_of(NO_TERM)
        for at in range(0, end, VECTOR):
            x = load_floats(scratch + X + at)
            codes = nearest(multiply(inverse, subtract(x, low)), ZERO, code_top)
            store(scratch + TRIED + at, codes)
            weighted = multiply(load_floats(scratch + IMPORTANCE + at), codes)
            sum_l = add(sum_l, weighted)
            sum_ll = add(sum_ll, multiply(weighted, codes))
            sum_xl = add(sum_xl, multiply(weighted, x))
        determinant = subtract(multiply(sum_w, sum_ll), multiply(sum_l, sum_l))
        scale = divide(subtract(multiply(sum_w, sum_xl), multiply(sum_x, sum_l)), determinant)
        bound = divide(subtract(multiply(sum_ll, sum_x), multiply(sum_l, sum_xl)), determinant)
        zero = floats_of(ZERO)
        scale = where_less(zero, bound, divide(sum_xl, sum_ll), scale)
        return scale, where_less(zero, bound, zero, bound), determinant

    return attempt


def _error_of(end: int, *, by_magnitude: bool) -> ErrorOf:
    """The function for the error of a try."""

    def error_of(scale: Lanes, low: Lanes, scratch: int) -> Lanes:
        """The weighted sum of the errors of the codes at TRIED."""
        total: Lanes = floats_of(NO_TERM)
        for at in range(0, end, VECTOR):
            codes = load_floats(scratch + TRIED + at)
            difference = subtract(add(multiply(scale, codes), low), load_floats(scratch + X + at))
            error = absolute(difference) if by_magnitude else multiply(difference, difference)
            total = add(total, multiply(load_floats(scratch + IMPORTANCE + at), error))
        return total

    return error_of


def _extremes(end: int, scratch: int) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """The least weights (at most 0) and the largest; the sums of the importances w, and of w times the weights."""
    low, high = load_floats(scratch + X), load_floats(scratch + X)
    sum_w, sum_x = floats_of(NO_TERM), floats_of(NO_TERM)
    for at in range(0, end, VECTOR):
        x, w = load_floats(scratch + X + at), load_floats(scratch + IMPORTANCE + at)
        low, high = where_less(x, low, x, low), where_less(high, x, x, high)
        sum_w, sum_x = add(sum_w, w), add(sum_x, multiply(w, x))
    zero = floats_of(ZERO)
    return where_less(zero, low, zero, low), high, sum_w, sum_x
