"""The searches for the scales of sixteen groups, as in `fourcc.formats.searches.scale_search`, one group a lane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.encoders.lanes import (
    IMPORTANCE,
    INFINITY,
    NO_TERM,
    NOTHING,
    ONE,
    TRIED,
    ZERO,
    X,
    finite_inverse,
    nearest,
)
from fourcc.kernels.simd.arithmetic import absolute, add, divide, floats_of, multiply, subtract
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_float, load_floats, store
from fourcc.kernels.simd.select import where_equal, where_less
from fourcc.kernels.simd.store_narrow import store_float16

TENTH = np.float32(0.1)
TRIES = 9  # on either side of the first
SWEEPS = 5


def signed_search(size: int, top: int) -> Callable[[int], tuple[Lanes, Lanes]]:
    """The search with codes -top .. top - 1 among 19 scales.

    Args:
        size: weights of a group.
        top: the largest code plus one.

    Returns:
        (scratch) -> scales, and the inverse scales that make their codes. A group that counts as zero has the inverse
        scale 0; its codes are -top. It reads X and IMPORTANCE.
    """
    low, high, end = np.float32(-top), np.float32(top - 1), VECTOR * size

    def attempt(inverse: Lanes, scratch: int) -> tuple[Lanes, Lanes]:
        """The sums of w x l and of w l l for the codes l of an inverse scale."""
        above, below = floats_of(NO_TERM), floats_of(NO_TERM)
        for at in range(0, end, VECTOR):
            x, w = load_floats(scratch + X + at), load_floats(scratch + IMPORTANCE + at)
            codes = nearest(multiply(inverse, x), low, high)
            above = add(above, multiply(multiply(w, x), codes))
            below = add(below, multiply(multiply(w, codes), codes))
        return above, below

    def search(scratch: int) -> tuple[Lanes, Lanes]:
        peak, zero, nothing = first_largest(end, scratch), floats_of(ZERO), floats_of(NOTHING)
        extent = where_less(absolute(peak), nothing, floats_of(ONE), peak)
        inverse = finite_inverse(floats_of(low), extent)
        above, below = attempt(inverse, scratch)
        scale = quotient(above, below)
        best = multiply(scale, above)
        for number in range(-TRIES, TRIES + 1):
            if number != 0:
                tried = finite_inverse(floats_of(-(TENTH * np.float32(number) - low)), extent)
                above, below = attempt(tried, scratch)
                limit, reached = multiply(best, below), multiply(above, above)
                limit = where_less(zero, below, limit, floats_of(INFINITY))  # else no scale: nothing exceeds it
                new_scale = quotient(above, below)
                scale = where_less(limit, reached, new_scale, scale)
                inverse = where_less(limit, reached, tried, inverse)
                best = where_less(limit, reached, multiply(new_scale, above), best)
        size = absolute(peak)
        return where_less(size, nothing, zero, scale), where_less(size, nothing, zero, inverse)

    return search


def refined_search(size: int, top: int) -> Callable[[int], Lanes]:
    """The search with codes -top .. top - 1 that improves one code after the other, in five sweeps over all.

    Args:
        size: weights of a group.
        top: the largest code plus one.

    Returns:
        (scratch) -> scales. It reads X, and writes the codes to TRIED.
    """
    low, high, end = np.float32(-top), np.float32(top - 1), VECTOR * size

    def search(scratch: int) -> Lanes:
        peak, zero, nothing = first_largest(end, scratch), floats_of(ZERO), floats_of(NOTHING)
        inverse = finite_inverse(floats_of(low), where_less(absolute(peak), nothing, floats_of(ONE), peak))
        above, below = floats_of(NO_TERM), floats_of(NO_TERM)
        for at in range(0, end, VECTOR):
            x = load_floats(scratch + X + at)
            codes = nearest(multiply(inverse, x), low, high)
            store(scratch + TRIED + at, codes)
            w = multiply(x, x)
            above = add(above, multiply(multiply(w, x), codes))
            below = add(below, multiply(multiply(w, codes), codes))
        for _ in range(SWEEPS):
            for at in range(0, end, VECTOR):
                above, below = _improve(scratch + X + at, scratch + TRIED + at, above, below, low, high)
        for at in range(0, end, VECTOR):
            codes = load_floats(scratch + TRIED + at)
            store(scratch + TRIED + at, where_less(absolute(peak), nothing, floats_of(low), codes))
        scales: Lanes = where_less(absolute(peak), nothing, zero, quotient(above, below))
        return scales

    return search


def _improve(
    x_at: int, codes_at: int, above: Lanes, below: Lanes, low: np.float32, high: np.float32
) -> tuple[Lanes, Lanes]:
    """Stores a better code for one weight of every group, if there is one; returns the new sums of w x l and w l l."""
    x, codes, zero, never = load_floats(x_at), load_floats(codes_at), floats_of(ZERO), floats_of(INFINITY)
    w = multiply(x, x)
    weighted = multiply(w, x)
    other_above = subtract(above, multiply(weighted, codes))
    other_below = subtract(below, multiply(multiply(w, codes), codes))
    tried = nearest(divide(multiply(x, other_below), other_above), low, high)
    new_above = add(other_above, multiply(weighted, tried))
    new_below = add(other_below, multiply(multiply(w, tried), tried))
    reached, limit = multiply(multiply(new_above, new_above), below), multiply(multiply(above, above), new_below)
    limit = where_less(zero, other_above, where_less(zero, new_below, limit, never), never)
    limit = where_equal(tried, codes, never, limit)
    store(codes_at, where_less(limit, reached, tried, codes))
    return where_less(limit, reached, new_above, above), where_less(limit, reached, new_below, below)


def first_largest(end: int, scratch: int) -> Lanes:
    """The groups' weights of largest magnitude, with their signs; ties go to the first."""
    peak: Lanes = load_floats(scratch + X)
    for at in range(VECTOR, end, VECTOR):
        x = load_floats(scratch + X + at)
        peak = where_less(absolute(peak), absolute(x), x, peak)
    return peak


def quotient(above: Lanes, below: Lanes) -> Lanes:
    """The quotient above / below of two sums, or 0 where `below` is not above 0."""
    zero = floats_of(ZERO)
    scale: Lanes = where_less(zero, below, divide(above, below), zero)
    return scale


def first_largest_of(values: int, first: int, last: int) -> np.float32:
    """The number of largest magnitude among first .. last - 1 at an address; ties go to the first; NaN wins."""
    peak: np.float32 = load_float(values + 4 * first)
    for lane in range(first + 1, last):
        each = load_float(values + 4 * lane)
        if abs(each) > abs(peak) or each != each:  # noqa: PLR0124 - true for NaN
            peak = each
    return peak


def multiples_of_one(values: Lanes, peak: np.float32, low: np.float32, high: np.float32, d: int) -> Lanes:
    """The values quantized to multiples of one scale, which is stored as float16; all are 0 where the peak is almost 0.

    Args:
        values: of either sign.
        peak: the first value of largest magnitude, which becomes `low` times the scale.
        low: least multiple, below 0.
        high: largest multiple.
        d: address of the scale.
    """
    ratio = divide(low, peak)
    if np.isinf(ratio):
        ratio = ZERO
    store_float16(d, ZERO if ratio == ZERO else divide(ONE, ratio))
    multiples: Lanes = nearest(multiply(floats_of(ratio), values), low, high)
    return multiples
