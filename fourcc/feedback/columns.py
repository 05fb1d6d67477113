"""Codes chosen column by column, with all that is stored beside them kept."""

from __future__ import annotations

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.compute.error_feedback import choose
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
