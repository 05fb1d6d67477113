"""Error feedback with compiled kernels where that pays, else in numpy, with equal results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.coding import WORTH_LOOKING, either
from fourcc.kernels.descriptors import address, empty

if TYPE_CHECKING:
    from fourcc.arrays import Array
    from fourcc.grid import Grid
    from fourcc.kernels.compiler.jit import KernelFunction

LANES = 8  # doubles of a vector


def room_for(cols: int) -> Array:
    """Zeros for a matrix of float64 and its factor, (size, size): `cols` rounded up to whole vectors.

    Rows are a vector further apart than they need be, so that those of a column are in different lines of the cache.
    """
    size = -(-cols // LANES) * LANES
    memory = empty(size * (size + LANES), "<f8").reshape(size, size + LANES)
    memory[...] = 0
    return memory[:, :size]


def ready() -> bool:
    """Whether error feedback needs no kernel compiled first."""
    from fourcc.kernels.compiler import jit
    from fourcc.kernels.feedback import columns
    from fourcc.kernels.feedback.factorization import factorize as kernel

    needed = (kernel, columns.by_steps, columns.by_table, columns.distances)
    return jit.uncompiled() or all(map(jit.is_ready, needed))


def factorize(matrix: Array, slow: Callable[[Array], None], *, whole: int) -> None:
    """Factors a matrix from `room_for` in place, as `slow` does.

    Args:
        matrix: the lower half is read; U and D take the upper half and the diagonal.
        slow: the factorization in numpy.
        whole: weights of the whole work that this is a part of.
    """
    if whole < WORTH_LOOKING:
        slow(matrix)
        return
    from fourcc.kernels.feedback.factorization import FACTOR, scratch_bytes
    from fourcc.kernels.feedback.factorization import factorize as kernel

    def fast(code: KernelFunction) -> None:
        record = FACTOR.record(size=len(matrix), matrix=address(matrix), pitch=matrix.strides[0])
        scratch = empty(scratch_bytes(len(matrix)))
        code(address(record), 0, 0, 0, address(scratch))

    either(kernel, whole, fast, lambda: slow(matrix))


def choose(w: Array, grid: Grid, upper: Array, slow: Callable[[Array, Grid, Array], Array], *, whole: int) -> Array:
    """The numbers of the levels, int64 (rows, cols), that `slow` chooses for weights, float64 (rows, cols).

    Args:
        w: the weights.
        grid: their levels.
        upper: U, in memory from `room_for`.
        slow: the choice in numpy.
        whole: weights of the whole work that this is a part of.
    """
    if whole < WORTH_LOOKING:
        return slow(w, grid, upper)
    from fourcc.kernels.feedback import columns as kernels

    def fast(code: KernelFunction) -> Array:
        levels = _steps(grid) if grid.even else grid.levels
        return _run(code, w, levels, grid.count, upper).astype(np.int64)

    return either(kernels.by_steps if grid.even else kernels.by_table, whole, fast, lambda: slow(w, grid, upper))


def distances(
    w: Array, levels: Array, upper: Array, slow: Callable[[Array, Array, Array], Array], *, whole: int
) -> Array:
    """How far given levels are from their targets, float64 (rows, cols), as `slow` computes it.

    Args:
        w: the weights, float64 (rows, cols).
        levels: the weights that are stored, likewise.
        upper: U, in memory from `room_for`.
        slow: the computation in numpy.
        whole: weights of the whole work that this is a part of.
    """
    if whole < WORTH_LOOKING:
        return slow(w, levels, upper)
    from fourcc.kernels.feedback import columns as kernels

    def fast(code: KernelFunction) -> Array:
        return _run(code, w, levels[None], 1, upper)

    return either(kernels.distances, whole, fast, lambda: slow(w, levels, upper))


def _run(code: KernelFunction, w: Array, levels: Array, count: int, upper: Array) -> Array:
    """Runs a kernel over all rows: what it stores for each weight, float64 (rows, cols)."""
    from fourcc.kernels.feedback import columns as kernels

    rows, cols = w.shape
    errors, held = _in_lanes(w[None], len(upper)), _in_lanes(levels, len(upper))  # (groups, size, 1 or more, 8)
    stored = np.empty_like(errors)
    record = kernels.COLUMNS.record(
        size=len(upper),
        upper=address(upper),
        pitch=upper.strides[0],
        weights=address(errors),
        levels=address(held),
        count=count,
        codes=address(stored),
    )
    scratch = empty(kernels.SCRATCH)
    code(address(record), 0, 0, len(errors), address(scratch))
    return stored[:, :, 0].swapaxes(1, 2).reshape(-1, len(upper))[:rows, :cols]


def _steps(grid: Grid) -> Array:
    """The first of even levels, the step, and the divisor of a distance from the first: float64 (3, rows, cols)."""
    first, step = grid.steps
    return np.stack([first, step, np.where(step == 0, np.inf, step)])


def _in_lanes(values: Array, size: int) -> Array:
    """Numbers (count, rows, cols) as kernels read them, eight rows side by side: (groups, size, count, 8)."""
    count, rows, cols = values.shape
    groups = -(-rows // LANES)
    padded = np.zeros((count, groups * LANES, size), values.dtype)
    padded[:, :rows, :cols] = values
    lanes = empty(padded.size, values.dtype.str).reshape(groups, size, count, LANES)
    lanes[...] = padded.reshape(count, groups, LANES, size).transpose(1, 3, 0, 2)
    return lanes
