"""Codes chosen column by column, with all that is stored beside them kept."""

from __future__ import annotations

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.compute.error_feedback import choose, distances
from fourcc.feedback.factor import Factor
from fourcc.grid import Grid


def chosen_codes(w: Array, grid: Grid, factor: Factor, *, whole: int) -> Array:
    """The codes, integers (rows, cols), for weights, float64 (rows, cols), so that errors make up for each other.

    Args:
        w: the weights.
        grid: what each code of each weight decodes to.
        factor: of the inputs' Hessian.
        whole: weights of the whole work; large work is done by compiled code.
    """
    order = factor.order
    ordered = attrs.evolve(grid, levels=grid.levels[:, :, order])
    codes = np.empty(w.shape, np.int64)
    codes[:, order] = choose(w[:, order], ordered, factor.upper, codes_by_column, whole=whole)
    codes += grid.low
    return codes


def better_codes(w: Array, grid: Grid, stored: Array, factor: Factor, *, whole: int) -> Array:
    """The codes of `chosen_codes`, but in rows whose stored codes have the smaller output error: there these.

    An encoder may do better than rounding one column after the other: the errors of a block may cancel already.

    Args:
        w: the weights, float64 (rows, cols).
        grid: what each code of each weight decodes to.
        stored: the codes that the encoder chose, integers (rows, cols).
        factor: of the inputs' Hessian.
        whole: weights of the whole work.
    """
    codes = chosen_codes(w, grid, factor, whole=whole)
    before, after = (output_errors(w, grid.at(each), factor, whole=whole) for each in (stored, codes))
    return np.where((before < after)[:, None], stored, codes)


@np.errstate(invalid="ignore", over="ignore")  # an infinite error is not the smaller one
def output_errors(w: Array, decoded: Array, factor: Factor, *, whole: int) -> Array:
    """The output error e H e^T of each row, for the damped Hessian: float64 (rows,).

    Args:
        w: the weights, float64 (rows, cols).
        decoded: likewise.
        factor: of the Hessian.
        whole: weights of the whole work.
    """
    order = factor.order
    off = distances(w[:, order], decoded[:, order], factor.upper, distances_by_column, whole=whole)
    errors: Array = np.cumsum(off * off * factor.upper.diagonal()[: len(order)], axis=1)[:, -1]
    return errors


@np.errstate(invalid="ignore", over="ignore")
def distances_by_column(w: Array, levels: Array, upper: Array) -> Array:
    """The distances of levels from their targets, float64 (rows, cols): e_k + sum_{j<k} e_j U_jk, in order."""
    cols = w.shape[1]
    targets, errors = w.copy(), levels - w
    for k in range(cols):
        targets[:, k + 1 :] -= errors[:, k, None] * upper[k, k + 1 : cols]
    return levels - targets


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # levels may be infinite: such parts are refused later
def codes_by_column(w: Array, grid: Grid, upper: Array) -> Array:
    """The numbers of the nearest levels, int64 (rows, cols), from the first column to the last.

    Args:
        w: float64 (rows, cols), in order.
        grid: likewise.
        upper: U, at least (cols, cols).
    """
    cols = w.shape[1]
    targets, numbers = w.copy(), np.empty(w.shape, np.int64)
    for k in range(cols):
        numbers[:, k], level = _nearest(targets[:, k], grid, k)
        error = level - w[:, k]
        targets[:, k + 1 :] -= error[:, None] * upper[k, k + 1 : cols]
    return numbers


def _nearest(target: Array, grid: Grid, column: int) -> tuple[Array, Array]:
    """The number of the nearest level of each row, and the level, float64; of equal ones the first."""
    if grid.even:
        first, step = (each[:, column] for each in grid.steps)
        number = np.rint((target - first) / np.where(step == 0, np.inf, step))
        number = np.where(number > 0, number, 0)  # also for NaN
        number = np.where(number < grid.count - 1, number, grid.count - 1)
        return number.astype(np.int64), first + step * number
    levels = grid.levels[:, :, column].astype(np.float64)  # (levels, rows)
    distance = np.abs(levels - target)
    index = np.where(np.isnan(distance), np.inf, distance).argmin(axis=0)
    return index, levels[index, np.arange(len(target))]
