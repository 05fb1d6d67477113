"""Searches for the scale of a group of weights, as in ggml's quantizers, for many groups at once.

Groups are columns, as `fourcc.formats.searches.columns` says; ``specs/searches.md`` describes the procedures.
"""

import numpy as np

from fourcc import Array, Floats
from fourcc.formats.searches.columns import (
    NOTHING,
    as_groups,
    finite_inverse,
    first_largest,
    ordered_sum,
    quotient,
    rounded,
)

TRIES = [number for number in range(-9, 10) if number]
TENTH = np.float32(0.1)
SWEEPS = 5


@np.errstate(over="ignore", invalid="ignore")
def signed_scale(x: Floats, weights: Floats, top: int) -> tuple[Floats, Floats]:
    """The scale and the codes -top .. top - 1 with the least weighted squared error in 19 tries.

    The first try maps the largest magnitude to -top, the others map it to -(top + k / 10) for k = -9 .. 9, not 0. The
    codes of a try are the nearest integers, its scale is the best one for these codes.

    Args:
        x: (n, groups).
        weights: of the errors, (n, groups).
        top: largest code plus 1.

    Returns:
        Scales (groups,), of either sign, and codes (n, groups).
    """
    peak = first_largest(x)
    fine = np.abs(peak) >= NOTHING
    peak = np.where(fine, peak, np.float32(1))
    weighted = weights * x
    codes, above, below = _signed_try(x, weights, weighted, finite_inverse(np.float32(-top), peak), top)
    scale = quotient(above, below)
    best = scale * above
    for number in TRIES:
        steps = -(np.float32(top) + TENTH * np.float32(number))
        tried, above, below = _signed_try(x, weights, weighted, finite_inverse(steps, peak), top)
        better = (below > 0) & (above * above > best * below)
        np.copyto(codes, tried, where=better)
        np.copyto(scale, quotient(above, below), where=better)
        np.copyto(best, scale * above, where=better)
    return np.where(fine, scale, np.float32(0)), np.where(fine, codes, np.float32(-top))


def signed_rows(w: Floats, weights: Floats, top: int) -> tuple[Floats, Array]:
    """As `signed_scale`, for blocks (n, m) and their error weights: scales (n,), and codes plus `top`, uint8 (n, m)."""
    size = w.shape[1]
    d, codes = signed_scale(as_groups(w, size), as_groups(weights, size), top)
    return d, (codes.T + top).astype(np.uint8)


def _signed_try(
    x: Floats, weights: Floats, weighted: Floats, inverse: Floats, top: int
) -> tuple[Floats, Floats, Floats]:
    """The codes l for an inverse scale, and the sums of w x l and of w l l."""
    codes = rounded(inverse * x, -top, top - 1)
    return codes, ordered_sum(weighted * codes), ordered_sum(weights * codes * codes)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def refined_scale(x: Floats, top: int) -> tuple[Floats, Floats]:
    """The scale and the codes -top .. top - 1 for errors weighted by x^2; codes are improved one after the other.

    The first codes map the largest magnitude to -top. Then each code in turn becomes the one that is best for the scale
    of the other codes, if that raises (sum w x l)^2 / (sum w l l); at most five sweeps over all codes.

    Args:
        x: (n, groups).
        top: largest code plus 1.

    Returns:
        Scales (groups,), and codes (n, groups).
    """
    peak = first_largest(x)
    fine = np.abs(peak) >= NOTHING
    weights = x * x
    weighted = weights * x
    first: Floats = finite_inverse(np.float32(-top), np.where(fine, peak, np.float32(1)))
    codes = rounded(first * x, -top, top - 1)
    above, below = ordered_sum(weighted * codes), ordered_sum(weights * codes * codes)
    sweeps(x, weights, codes, above, below, -top, top - 1)
    return np.where(fine, quotient(above, below), np.float32(0)), np.where(fine, codes, np.float32(-top))


def sweeps(x: Floats, weights: Floats, codes: Floats, above: Floats, below: Floats, low: int, high: int) -> None:
    """Improves codes low .. high, and the sums of w x l and w l l, in place: five sweeps, or until nothing changes."""
    for _ in range(SWEEPS):
        if not _sweep(x, weights, codes, above, below, low, high):
            break


def _sweep(x: Floats, weights: Floats, codes: Floats, above: Floats, below: Floats, low: int, high: int) -> bool:
    """Improves each code in turn, and the sums of w x l (`above`) and w l l (`below`); returns whether any changed."""
    changed = False
    for value, weight, code in zip(x, weights, codes, strict=True):
        other_above = above - weight * value * code
        other_below = below - weight * code * code
        tried = rounded(value * other_below / other_above, low, high)
        new_above = other_above + weight * value * tried
        new_below = other_below + weight * tried * tried
        better = (other_above > 0) & (tried != code) & (new_below > 0)
        better &= new_above * new_above * below > above * above * new_below
        np.copyto(code, tried, where=better)
        np.copyto(above, new_above, where=better)
        np.copyto(below, new_below, where=better)
        changed = changed or bool(better.any())
    return changed


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def nearest_signed_codes(x: Floats, scale: Floats, codes: Floats, top: int) -> Floats:
    """The nearest codes -top .. top - 1 for the scales as they are stored; `codes` where a scale is 0.

    Args:
        x: (n, groups).
        scale: stored scales (groups,).
        codes: (n, groups).
        top: largest code plus 1.
    """
    return np.where(scale != 0, rounded(x / scale, -top, top - 1), codes)
