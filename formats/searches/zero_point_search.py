"""Searches for the scale and the zero point of a group of weights: weight = scale * (code - zero), with a whole zero.

Groups are columns of weights, float32 (n, groups). Their settings are float64 (2, groups): scales, each of them a
float32, and zero points. All is computed in float64, but for the weights that a file decodes, which are float32.
"""

from collections.abc import Iterator

import numpy as np

from fourcc import Array, Floats
from fourcc.formats.searches.columns import ordered_sum
from fourcc.formats.searches.least_error import fitted_scale, least_error, weighted_error

SHARES = [1 - number / 32 for number in range(15)]  # of the scale of the whole extent
SHIFTS = (0, -1, 1)  # of the zero point of the whole extent
ROUNDS = 20
BETA, GROWTH = 10.0, 1.01  # of the half-quadratic penalty: at first, and from one round to the next


def extent_settings(x: Floats, top: int) -> Array:
    """The settings with which 0 and all weights of a group have codes 0 .. top, without a search."""
    low, high = x.min(axis=0).clip(max=0).astype(np.float64), x.max(axis=0).clip(min=0).astype(np.float64)
    scale = ((high - low) / top).astype(np.float32).astype(np.float64)
    return np.stack([scale, np.rint(-low / _divisor(scale)).clip(0, top)])


def codes(x: Array, settings: Array, top: int) -> Array:
    """The codes nearest to x / scale + zero, float64 (n, groups); 0 where the scale is 0."""
    q = x / _divisor(settings[0])
    q += settings[1]
    return np.rint(q, out=q).clip(0, top, out=q)


def _divisor(scale: Array) -> Array:
    return np.where(scale == 0, np.inf, scale)


def _decoded(x: Floats, settings: Array, top: int) -> Floats:
    """The weights that a file with these settings decodes, float32 (n, groups)."""
    multiples = codes(x, settings, top) - settings[1]
    decoded: Floats = settings[0].astype(np.float32) * multiples.astype(np.float32)
    return decoded


def weighted_settings(x: Floats, importance: Floats, top: int) -> Array:
    """The settings with the least weighted squared error: those of the extent, or scales that fit the codes of shares.

    Args:
        x: (n, groups).
        importance: of the errors, (n, groups).
        top: largest code.
    """
    whole = extent_settings(x, top)

    def candidates() -> Iterator[Array]:
        yield whole
        for shift in SHIFTS:
            zero = (whole[1] + shift).clip(0, top)
            for share in SHARES:
                scale = (whole[0] * share).astype(np.float32)
                multiples = codes(x, np.stack([scale, zero]), top) - zero
                yield np.stack([fitted_scale(x, multiples, importance, scale), zero]).astype(np.float64)

    return least_error(candidates(), lambda settings: weighted_error(x, _decoded(x, settings, top), importance))


def half_quadratic_settings(x: Floats, top: int) -> Array:
    """The settings with the least sum of |error|^(11/16) among those of twenty rounds of half-quadratic splitting.

    A round takes the nearest codes, the part of their errors that is an outlier, and the zero point and the scale that
    fit the weights without it. Errors are counted in steps, so that the unit of the weights does not matter.
    """
    whole = extent_settings(x, top)
    in_steps = x / _divisor(whole[0])  # (n, groups)

    def candidates() -> Iterator[Array]:
        yield whole
        step, zero, beta = np.ones(x.shape[1]), whole[1], BETA
        for _ in range(ROUNDS):
            q = codes(in_steps, np.stack([step, zero]), top)
            without = in_steps - _outlying(in_steps - step * (q - zero), beta)
            zero = ordered_sum(q - without / step) / len(q)
            whole_zero = np.rint(zero).clip(0, top)
            step = _fitted(without, q - whole_zero)
            yield np.stack([(whole[0] * step).astype(np.float32).astype(np.float64), whole_zero])
            beta *= GROWTH

    return least_error(candidates(), lambda settings: _power_error(x - _decoded(x, settings, top).astype(np.float64)))


def _outlying(error: Array, beta: float) -> Array:
    """The part of errors that is an outlier: |error| - |error|^(-5/16) / beta with the error's sign, 0 if below 0."""
    size = np.abs(error)
    fourth = np.sqrt(np.sqrt(size))
    power = fourth * np.sqrt(np.sqrt(fourth))  # size^(5/16), of square roots alone: every machine rounds them alike
    shrunk = size - np.divide(1 / beta, power, out=np.full_like(size, np.inf), where=power > 0)
    outlying: Array = np.copysign(shrunk.clip(min=0), error)
    return outlying


def _power_error(error: Array) -> Array:
    """The sum of |error|^(11/16) of each column."""
    half = np.sqrt(np.abs(error))
    eighth = np.sqrt(np.sqrt(half))
    return ordered_sum(half * eighth * np.sqrt(eighth))


def _fitted(weights: Array, multiples: Array) -> Array:
    """The scale of least squares for weights that are multiples of it, (groups,); 1 where there is none above 0."""
    above, below = ordered_sum(multiples * weights), ordered_sum(multiples * multiples)
    scale = np.divide(above, below, out=np.ones_like(above), where=below > 0)
    return np.where(scale > 0, scale, 1.0)
