"""Hessians of made-up activations, and grids of made-up levels."""

import numpy as np

from fourcc.arrays import Array, Floats
from fourcc.grid import Grid


def hessian(cols: int, seed: int = 0, dead: tuple[int, ...] = ()) -> Floats:
    """E[x x^T] of activations whose columns differ in size and depend on each other; `dead` ones are always 0."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((2 * cols + 1, cols)) @ random.standard_normal((cols, cols)) / cols
    x = (x + random.standard_normal(x.shape)) * np.exp(random.standard_normal(cols))
    x[:, list(dead)] = 0
    found: Floats = (x.T @ x / len(x)).astype(np.float32)
    return found


def table(rows: int, cols: int, count: int = 16, seed: int = 0) -> Grid:
    """Levels at random places, not in order."""
    levels = np.random.default_rng(seed).standard_normal((count, rows, cols)).astype(np.float32)
    return Grid(0, count - 1, levels)


def steps(rows: int, cols: int, low: int = -7, high: int = 8, seed: int = 0) -> Grid:
    """Levels that lie evenly; the first weight of each row has but one."""
    random = np.random.default_rng(seed)
    step = np.exp(random.standard_normal((rows, cols))) / 8
    step[:, 0] = 0
    return Grid(low, high, np.stack([low * step, high * step]).astype(np.float32))


def output_error(error: Array, h: Floats) -> float:
    """tr(E H E^T), float64."""
    return float(((error @ h.astype(np.float64)) * error).sum())
