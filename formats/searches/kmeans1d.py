"""Cuts ordered weights into runs: with the least sum of squared errors, or with equal counts.

On a line, the clusters of k-means are runs of the ordered values, so dynamic programming finds the best cut. With S the
prefix sums of one block's ordered values, the sum of squared errors of a cut is

    sum of x^2 - sum over the runs i .. j of (S[j] - S[i])^2 / (j - i),

so the best cut has the largest second sum, its *gain*. `_best_gains` has the recurrence, `_walk_back` finds the cuts.
"""

import numpy as np

from fourcc import Array, Floats

BATCH = 128  # blocks at a time, so that their tables stay in the cache


def equal_runs(ordered: Floats, count: int) -> Array:
    """The run of each position: run r covers r n // count .. (r + 1) n // count - 1.

    Where there are fewer positions than runs, every position is a run.

    Args:
        ordered: (blocks, n).
        count: runs to cut.

    Returns:
        Runs from 0, intp (blocks, n).
    """
    n = ordered.shape[1]
    cuts = np.arange(1, count) * n // count if n > count else np.arange(1, n)
    return np.broadcast_to(np.searchsorted(cuts, np.arange(n), side="right"), ordered.shape)


def distinct_runs(ordered: Floats) -> Array:
    """The run of each position if every distinct value is a run, intp (blocks, n)."""
    runs = np.zeros(ordered.shape, np.intp)
    np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, out=runs[:, 1:])
    return runs


def optimal_runs(ordered: Floats, count: int) -> Array:
    """The run of each position for the cut with the least sum of squared errors; no run is empty.

    Args:
        ordered: float32 (blocks, n), ascending, n at least `count`.
        count: runs to cut.

    Returns:
        Runs from 0, intp (blocks, n).
    """
    runs = np.empty(ordered.shape, np.intp)
    for first in range(0, len(ordered), BATCH):
        batch = ordered[first : first + BATCH].T.astype(np.float64)  # (n, blocks)
        batch -= batch[len(batch) // 2].copy()  # centred: large sums would swallow the differences
        sums = np.zeros((len(batch) + 1, batch.shape[1]))
        np.add.accumulate(batch, axis=0, out=sums[1:])
        runs[first : first + BATCH] = _walk_back(_best_gains(sums, count), sums)
    return runs


def _best_gains(sums: Array, count: int) -> Array:
    """best[r, j], the largest gain of the first j positions in r runs, for r below `count`; -inf where j < r.

    best[r, j] = max over i < j of best[r - 1, i] + (S[j] - S[i])^2 / (j - i), for all r at once.

    Args:
        sums: prefix sums S, float64 (n + 1, blocks).
        count: runs to cut.

    Returns:
        float64 (count, n + 1, blocks).
    """
    positions, blocks = sums.shape
    best = np.full((count, positions, blocks), -np.inf)
    best[0, 0] = 0
    scratch = np.empty((count - 1) * positions * blocks)
    for j in range(1, positions):
        gain = sums[j] - sums[:j]  # (j, blocks)
        gain *= gain
        gain /= np.arange(j, 0, -1.0)[:, None]
        candidates = scratch[: (count - 1) * j * blocks].reshape(count - 1, j, blocks)
        np.add(best[:-1, :j], gain, out=candidates)
        np.maximum.reduce(candidates, axis=1, out=best[1:, j])
    return best


def _walk_back(best: Array, sums: Array) -> Array:
    """The run of each position, found from the last cut to the first; ties go to the leftmost cut."""
    count, positions, blocks = best.shape
    i = np.arange(positions)[:, None]
    end = np.full(blocks, positions - 1)  # of the current run
    starts = np.zeros((blocks, positions - 1), np.intp)
    for run in range(count - 1, 0, -1):
        gain = sums[end, np.arange(blocks)] - sums  # (n + 1, blocks)
        gain *= gain
        gain /= np.maximum(end - i, 1)
        end = np.where(i < end, best[run] + gain, -np.inf).argmax(axis=0)
        starts[np.arange(blocks), end] = 1
    return np.cumsum(starts, axis=1)


def run_means(ordered: Floats, runs: Array, count: int) -> Floats:
    """The mean of each run, summed from left to right in float64; the last mean fills the places of missing runs.

    Args:
        ordered: (blocks, n).
        runs: from 0, ascending (blocks, n).
        count: means a block.

    Returns:
        float32 (blocks, count), ascending.
    """
    blocks = len(ordered)
    slots = (runs + count * np.arange(blocks)[:, None]).reshape(-1)
    sums = np.bincount(slots, ordered.reshape(-1), minlength=count * blocks)  # bincount adds in order
    sizes = np.bincount(slots, minlength=count * blocks)
    means = (sums / np.maximum(sizes, 1)).astype(np.float32).reshape(blocks, count)
    return np.take_along_axis(means, np.minimum(np.arange(count), runs[:, -1:]), axis=1)
