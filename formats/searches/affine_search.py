"""The search for the scale and the offset of a group of weights, as in ggml's quantizers, for many groups at once.

A weight is scale * code + offset, with an offset of at most 0; ggml's *minimum* is -offset. Groups are columns, every
operation is rounded to float32 by itself, and sums go from the first weight to the last, as in
`fourcc.formats.searches.columns`.
"""

import attrs
import numpy as np

from fourcc import Array, Floats
from fourcc.formats.searches.columns import as_groups, finite_inverse, least, ordered_sum, rounded


@attrs.frozen
class Tries:
    """The scales that are tried: they map the extent of a group to top + first + k * step, for k = 0 .. last.

    Attributes:
        top: largest code.
        first: added to `top` for the first try.
        step: from one try to the next.
        last: number of the last try.
        absolute: whether errors count by their magnitude instead of their square.
    """

    top: int
    first: float
    step: float
    last: int
    absolute: bool = False


def weighted_tries(top: int) -> Tries:
    """The tries that ggml makes for given error weights, whatever the format."""
    return Tries(top, first=-0.9, step=0.05, last=36)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def affine_scale(x: Floats, weights: Floats, tries: Tries) -> tuple[Floats, Floats, Floats]:
    """The scale, the offset and the codes with the least weighted error among the tries.

    Args:
        x: (n, groups).
        weights: of the errors, (n, groups).
        tries: the scales to try.

    Returns:
        Scales (groups,), at least 0; offsets (groups,), at most 0; codes 0 .. top (n, groups).
    """
    offset, high = least(x), x.max(axis=0)
    offset[offset > 0] = 0
    sum_w, sum_x = ordered_sum(weights), ordered_sum(weights * x)
    inverse = finite_inverse(np.float32(tries.top), high - offset)
    scale = np.where(inverse == 0, np.float32(0), 1 / inverse)
    codes = rounded(inverse * (x - offset), 0, tries.top)
    best = _error(x, weights, codes, scale, offset, tries)
    for number in range(tries.last + 1):
        steps = np.float32(tries.first) + np.float32(tries.step) * np.float32(number) + np.float32(tries.top)
        tried = rounded(finite_inverse(steps, high - offset) * (x - offset), 0, tries.top)
        new_scale, new_offset, solved = _solved(x, weights, tried, sum_w, sum_x)
        error = _error(x, weights, tried, new_scale, new_offset, tries)
        better = solved & (error < best)
        for kept, new in ((codes, tried), (best, error), (scale, new_scale), (offset, new_offset)):
            np.copyto(kept, new, where=better)
    return scale, offset, codes


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # 1 / d may be infinite; so may d: refused
def affine_extent(w: Floats, top: int) -> tuple[Floats, Floats, Array]:
    """Scales (n,), offsets (n,) and codes, uint8 (n, m), of blocks (n, m) without a search.

    The least weight has code 0, the largest weight has code `top`.
    """
    offset = least(w.T)  # (n,)
    d = np.abs(w.max(axis=1) - offset) / np.float32(top)  # 0 - 0 may be -0
    inverse = 1 / d
    inverse[np.isinf(inverse)] = 0  # d is 0, or so small that it is 0 in float16
    q = (w - offset[:, None]) * inverse[:, None] + np.float32(0.5)
    return d, offset, np.minimum(q, top).astype(np.uint8)


def affine_rows(w: Floats, weights: Floats, top: int) -> tuple[Floats, Floats, Array]:
    """As `affine_extent`, but with the least weighted error; `weights` (n, m) are what the errors count."""
    size = w.shape[1]
    d, offset, codes = affine_scale(as_groups(w, size), as_groups(weights, size), weighted_tries(top))
    return d, offset, codes.T.astype(np.uint8)


def _error(x: Floats, weights: Floats, codes: Floats, scale: Floats, offset: Floats, tries: Tries) -> Floats:
    """The weighted sum of errors, (groups,)."""
    off = scale * codes + offset - x
    return ordered_sum(weights * (np.abs(off) if tries.absolute else off * off))


def _solved(x: Floats, weights: Floats, codes: Floats, sum_w: Floats, sum_x: Floats) -> tuple[Floats, Floats, Array]:
    """The scale and the offset, at most 0, of least squares for some codes; and whether a solution exists."""
    weighted = weights * codes
    sum_l, sum_ll, sum_xl = ordered_sum(weighted), ordered_sum(weighted * codes), ordered_sum(weighted * x)
    determinant = sum_w * sum_ll - sum_l * sum_l
    scale = (sum_w * sum_xl - sum_x * sum_l) / determinant
    offset = (sum_ll * sum_x - sum_l * sum_xl) / determinant
    above = offset > 0
    return np.where(above, sum_xl / sum_ll, scale), np.where(above, np.float32(0), offset), determinant > 0


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def nearest_codes(x: Floats, scale: Floats, offset: Floats, codes: Floats, top: int) -> Floats:
    """The nearest codes 0 .. top for the scales and offsets as they are stored; `codes` where a scale is 0.

    Args:
        x: (n, groups).
        scale: stored scales (groups,).
        offset: stored offsets (groups,).
        codes: (n, groups).
        top: largest code.
    """
    return np.where(scale != 0, rounded((x - offset) / scale, 0, top), codes)
