"""The sixteen levels of ggml's non-linear 4-bit formats, and the search for their scale.

Groups of weights are columns, every operation is rounded to float32 by itself, and sums go from the first weight to the
last, as in `fourcc.formats.searches.columns`.
"""

import numpy as np

from fourcc import Array, Floats
from fourcc.formats.searches.columns import NOTHING, first_largest, ordered_sum, quotient

LEVELS = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
BORDERS = (LEVELS[1:] + LEVELS[:-1]) / 2  # exact
TRIES = 7


def nearest_level(x: Floats) -> Array:
    """The code of the nearest level, uint8 of x's shape; ties go to the upper level."""
    codes = np.zeros(x.shape, np.uint8)
    for border in BORDERS:
        codes += x >= border
    return codes


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def level_scale(x: Floats, weights: Floats) -> Floats:
    """The scale with the least weighted squared error in 16 tries; 0 for a group of (almost) zeros.

    The first try maps the largest magnitude to 127, the others map it to -127 + k for k = -7 .. 7. The codes of a try
    are those of the nearest levels, its scale is the best one for these codes.

    Args:
        x: (n, groups).
        weights: of the errors, (n, groups).
    """
    peak = first_largest(x)
    fine = np.abs(peak) >= NOTHING
    peak = np.where(fine, peak, np.float32(1))
    above, below = _level_try(x, weights, 1 / (-peak / LEVELS[0]))
    scale = quotient(above, below)
    best = scale * above
    for number in range(-TRIES, TRIES + 1):
        above, below = _level_try(x, weights, (number + LEVELS[0]) / peak)
        better = (below > 0) & (above * above > best * below)
        np.copyto(scale, quotient(above, below), where=better)
        np.copyto(best, scale * above, where=better)
    return np.where(fine, scale, np.float32(0))


def _level_try(x: Floats, weights: Floats, inverse: Floats) -> tuple[Floats, Floats]:
    """The sums of w v x and of w v v, with v the nearest levels for an inverse scale."""
    weighted = LEVELS[nearest_level(inverse * x)]
    below = weights * weighted * weighted
    weighted *= weights
    return ordered_sum(weighted * x), ordered_sum(below)
