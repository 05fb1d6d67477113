"""The search for the scale and the minimum of a group of weights, as ggml's quantizers do it, for many groups at once.

Groups are columns, every operation is rounded to float32 by itself, and sums go from the first weight to the last, as
in `fourcc.formats.searches.columns`.
"""

import attrs
import numpy as np

from fourcc.format import Array, Floats
from fourcc.formats.searches.columns import as_groups, finite_inverse, least, ordered_sum, rounded


@attrs.frozen
class Tries:
    """Which scales are tried: those that take the extent of a group to top + first + k * step, for k = 0 .. last.

    Attributes:
        top: largest code.
        first: added to it for the first try.
        step: from one try to the next.
        last: number of the last try.
        absolute: whether errors count by their magnitude instead of their square.
    """

    top: int
    first: float
    step: float
    last: int
    absolute: bool = False


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def affine_scale(x: Floats, weights: Floats, tries: Tries) -> tuple[Floats, Floats, Floats]:
    """Scale, minimum and codes of least weighted error that are found; a weight is scale * code - minimum.

    Args:
        x: (n, groups).
        weights: of the errors, (n, groups).
        tries: the scales to be tried.

    Returns:
        Scales (groups,), minima (groups,), neither below 0, and codes 0 .. top (n, groups).
    """
    low, high = least(x), x.max(axis=0)
    low[low > 0] = 0
    sum_w, sum_x = ordered_sum(weights), ordered_sum(weights * x)
    inverse = finite_inverse(np.float32(tries.top), high - low)
    scale = np.where(inverse == 0, np.float32(0), 1 / inverse)
    codes = rounded(inverse * (x - low), 0, tries.top)
    best = _error(x, weights, codes, scale, low, tries)
    for number in range(tries.last + 1):
        steps = np.float32(tries.first) + np.float32(tries.step) * np.float32(number) + np.float32(tries.top)
        tried = rounded(finite_inverse(steps, high - low) * (x - low), 0, tries.top)
        new_scale, new_low, solved = _solved(x, weights, tried, sum_w, sum_x)
        error = _error(x, weights, tried, new_scale, new_low, tries)
        better = solved & (error < best)
        for kept, new in ((codes, tried), (best, error), (scale, new_scale), (low, new_low)):
            np.copyto(kept, new, where=better)
    return scale, -low, codes


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # 1 / d may be infinite; so may d: refused
def affine_extent(w: Floats, top: int) -> tuple[Floats, Floats, Array]:
    """Scales (n,), minima (n,) and codes, uint8 (n, m), of blocks (n, m) without a search.

    The least weight has code 0, the largest code `top`.
    """
    low = least(w.T)  # (n,)
    d = np.abs(w.max(axis=1) - low) / np.float32(top)  # 0 - 0 may be -0
    inverse = 1 / d
    inverse[np.isinf(inverse)] = 0  # d is 0, or so small that it is 0 in float16
    q = (w - low[:, None]) * inverse[:, None] + np.float32(0.5)
    return d, low, np.minimum(q, top).astype(np.uint8)


def affine_rows(w: Floats, weights: Floats, tries: Tries) -> tuple[Floats, Floats, Array]:
    """The same of least weighted error: each block (n, m) is a group; `weights` are what its errors count."""
    size = w.shape[1]
    d, minus_low, codes = affine_scale(as_groups(w, size), as_groups(weights, size), tries)
    return d, -minus_low, codes.T.astype(np.uint8)


def _error(x: Floats, weights: Floats, codes: Floats, scale: Floats, low: Floats, tries: Tries) -> Floats:
    """The weighted sum of errors, (groups,)."""
    off = scale * codes + low - x
    return ordered_sum(weights * (np.abs(off) if tries.absolute else off * off))


def _solved(x: Floats, weights: Floats, codes: Floats, sum_w: Floats, sum_x: Floats) -> tuple[Floats, Floats, Array]:
    """The scale and the minimum, at most 0, of least squares for some codes; and where there are such."""
    weighted = weights * codes
    sum_l, sum_ll, sum_xl = ordered_sum(weighted), ordered_sum(weighted * codes), ordered_sum(weighted * x)
    determinant = sum_w * sum_ll - sum_l * sum_l
    scale = (sum_w * sum_xl - sum_x * sum_l) / determinant
    low = (sum_ll * sum_x - sum_l * sum_xl) / determinant
    above = low > 0
    return np.where(above, sum_xl / sum_ll, scale), np.where(above, np.float32(0), low), determinant > 0


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def nearest_codes(x: Floats, step: Floats, minimum: Floats, codes: Floats, top: int) -> Floats:
    """The codes 0 .. top that come nearest with the scales as they are stored; where a scale is 0, the ones given.

    Args:
        x: (n, groups).
        step: stored scales (groups,).
        minimum: stored minima (groups,).
        codes: (n, groups).
        top: largest code.
    """
    return np.where(step != 0, rounded((x + minimum) / step, 0, top), codes)
