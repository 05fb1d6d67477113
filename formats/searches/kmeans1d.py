"""Cuts ordered weights into runs: with the least sum of squared errors, or with equal counts.

On a line, the clusters of k-means are runs of the ordered values, so dynamic programming finds the best cut. With S the
prefix sums of one block's ordered values, the sum of squared errors of a cut is

    sum of x^2 - sum over the runs i .. j of (S[j] - S[i])^2 / (j - i),

so the best cut has the largest second sum, its *gain*. `_best_gains` has the recurrence, `_walk_back` finds the cuts.
Where the errors count differently, S has the prefix sums of count times value, and C[j] - C[i], of the prefix sums of
the counts, takes the place of j - i.
"""

from __future__ import annotations

import attrs
import numpy as np

from fourcc import Array, Floats

BATCH = 128  # blocks at a time, so that their tables stay in the cache
LEAST_SHARE = 2.0**-40


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


def optimal_runs(ordered: Floats, count: int, counted: Array | None = None) -> Array:
    """The run of each position for the cut with the least sum of squared errors; no run is empty.

    Args:
        ordered: float32 (blocks, n), ascending, n at least `count`.
        count: runs to cut.
        counted: float64 (blocks, n), what the error of each position counts, from `counts_of`; None: all count 1.

    Returns:
        Runs from 0, intp (blocks, n).
    """
    runs = np.empty(ordered.shape, np.intp)
    for first in range(0, len(ordered), BATCH):
        batch = ordered[first : first + BATCH].T.astype(np.float64)  # (n, blocks)
        batch -= batch[len(batch) // 2].copy()  # centred: large sums would swallow the differences
        counts = None if counted is None else np.ascontiguousarray(counted[first : first + BATCH].T)
        table = _Prefixes.of(batch, counts)
        runs[first : first + BATCH] = _walk_back(_best_gains(table, count), table)
    return runs


def counts_of(importance: Floats) -> Array:
    """Weights of errors, float64 (blocks, n), all above 0: an importance, but at least 2^-40 of the block's largest.

    So prefix sums ascend, and every run counts. Where no column of a block has any importance, all count 1.
    """
    largest = importance.max(axis=1, keepdims=True).astype(np.float64)
    counts = np.maximum(importance, LEAST_SHARE * largest)
    return np.where(largest > 0, counts, 1.0)


@attrs.frozen(eq=False)
class _Prefixes:
    """Prefix sums of some blocks' ordered values.

    Attributes:
        sums: S, float64 (n + 1, blocks).
        counts: C, float64 (n + 1, blocks), or (n + 1, 1) where all blocks have the same.
    """

    sums: Array
    counts: Array

    @staticmethod
    def of(values: Array, counts: Array | None) -> _Prefixes:
        """Sums over values (n, blocks), and over their counts; None: 1."""
        if counts is None:
            return _Prefixes(_prefixes(values), np.arange(len(values) + 1.0)[:, None])
        return _Prefixes(_prefixes(values * counts), _prefixes(counts))

    def gains(self, end: int) -> Array:
        """The gain of the runs that begin at 0 .. end - 1 and end before `end`, (end, blocks)."""
        return _gains(self.sums[end] - self.sums[:end], self.counts[end] - self.counts[:end])

    def gains_before(self, ends: Array) -> Array:
        """The gain of the runs that begin at 0 .. n and end before each block's own end; (n + 1, blocks)."""
        blocks = np.arange(len(ends))
        counts = self.counts[ends, blocks if self.counts.shape[1] > 1 else 0] - self.counts
        counts[counts == 0] = 1  # an empty run
        return _gains(self.sums[ends, blocks] - self.sums, counts)


def _prefixes(values: Array) -> Array:
    """The sums of the first 0 .. n values of each column, (n + 1, blocks)."""
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.add.accumulate(values, axis=0, out=sums[1:])
    return sums


def _gains(sums: Array, counts: Array) -> Array:
    """The quotients sums^2 / counts, in place of the sums."""
    sums *= sums
    sums /= counts
    return sums


def _best_gains(table: _Prefixes, count: int) -> Array:
    """best[r, j], the largest gain of the first j positions in r runs, for r below `count`; -inf where j < r.

    best[r, j] = max over i < j of best[r - 1, i] + the gain of i .. j, for all r at once.

    Returns:
        float64 (count, n + 1, blocks).
    """
    positions, blocks = table.sums.shape
    best = np.full((count, positions, blocks), -np.inf)
    best[0, 0] = 0
    scratch = np.empty((count - 1) * positions * blocks)
    for j in range(1, positions):
        candidates = scratch[: (count - 1) * j * blocks].reshape(count - 1, j, blocks)
        np.add(best[:-1, :j], table.gains(j), out=candidates)
        np.maximum.reduce(candidates, axis=1, out=best[1:, j])
    return best


def _walk_back(best: Array, table: _Prefixes) -> Array:
    """The run of each position, found from the last cut to the first; ties go to the leftmost cut."""
    count, positions, blocks = best.shape
    i = np.arange(positions)[:, None]
    end = np.full(blocks, positions - 1)  # of the current run
    starts = np.zeros((blocks, positions - 1), np.intp)
    for run in range(count - 1, 0, -1):
        end = np.where(i < end, best[run] + table.gains_before(end), -np.inf).argmax(axis=0)
        starts[np.arange(blocks), end] = 1
    return np.cumsum(starts, axis=1)


def run_means(ordered: Floats, runs: Array, count: int, counted: Array | None = None) -> Floats:
    """The mean of each run, summed from left to right in float64; the last mean fills the places of missing runs.

    Args:
        ordered: (blocks, n).
        runs: from 0, ascending (blocks, n).
        count: means a block.
        counted: what each position counts, float64 (blocks, n); None: 1.

    Returns:
        float32 (blocks, count), ascending.
    """
    blocks = len(ordered)
    slots = (runs + count * np.arange(blocks)[:, None]).reshape(-1)
    values, counts = ordered.reshape(-1).astype(np.float64), None if counted is None else counted.reshape(-1)
    sums = np.bincount(slots, values if counts is None else values * counts, minlength=count * blocks)  # adds in order
    sizes = np.bincount(slots, counts, minlength=count * blocks)
    means = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0).astype(np.float32).reshape(blocks, count)
    return np.take_along_axis(means, np.minimum(np.arange(count), runs[:, -1:]), axis=1)
