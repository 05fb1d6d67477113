"""Cutting ordered weights into 16 runs at the least sum of squared errors: the programme of `fourcc.formats.kmeans1d`.

With S the prefix sums of the centred, ordered weights x, best[r, j] = max over i < j of best[r - 1, i] + g(i, j), where
g(i, j) = (S[j] - S[i])^2 / (j - i). For a j all r are worked on side by side, one a lane; and an i that can win for no
later j is left out. That changes no value, so the walk back finds the same cuts:

    sum of x^2 in i .. j - g(i, j) is the squared error of a run of ordered numbers, which has the Monge property, so
    g(i, j') - g(i*, j') <= g(i, j) - g(i*, j) for i < i* < j < j'. An i whose candidate at j is below that of some
    i* > i is below it at every later j' too, by no less. Candidates as floats are off by less than 4 n sqrt(n) 2^-53
    E, with E = sum of x^2: 2^-39 E for n = 256. So those that are below by 2^-30 E never are, or tie with, the largest.

Only a run of i from the left is dropped, so that what is left is a window, which is about j / r wide.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.arithmetic import add, divide, doubles_of, larger, multiply, subtract
from fourcc.kernels.simd.doubles import all_below
from fourcc.kernels.simd.memory import (
    load_double,
    load_doubles,
    load_float,
    store,
    store_double,
    store_word,
)

MOST = 256  # positions
RUNS = 16
MARGIN = np.float64(2.0**-30)
INFINITY = np.float64(np.inf)

# Scratch memory. A row of BEST belongs to a position j: lane r - 1 is best[r, j], r = 1 .. 16.
ROW = 8 * RUNS
BEST = 0
SUMS = BEST + ROW * (MOST + 2)
COUNTS = SUMS + 8 * (MOST + 16)  # lengths of runs, MOST .. 1, as doubles
GAINS = COUNTS + 8 * (MOST + 16)
BYTES = GAINS + 8 * (MOST + 16)


def count_down(scratch: int) -> None:
    """Writes the lengths, once for any number of cuts; what follows them is divided by, but not used."""
    for i in range(MOST + 16):
        store_double(scratch + COUNTS + 8 * i, np.float64(max(1, MOST - i)))


def cut_optimally(ordered: int, n: int, starts: int, scratch: int) -> None:
    """Where each of the 16 runs starts.

    Args:
        ordered: address of n float32, ascending, with more than 16 values among them.
        n: 17 .. 256.
        starts: address of 16 int64 to be filled.
        scratch: of BYTES, after `count_down`.
    """
    energy = _sum_up(ordered, n, scratch)
    _fill(n, energy * MARGIN, scratch)
    end = n
    for run in range(RUNS - 1, 0, -1):
        end = _start_of_last(end, scratch + BEST + 8 * (run - 1), scratch)
        store_word(starts + 8 * run, end)
    store_word(starts, 0)


def _sum_up(ordered: int, n: int, scratch: int) -> np.float64:
    """Prefix sums of the centred weights; returns the sum of their squares."""
    center = np.float64(load_float(ordered + 4 * (n >> 1)))
    total, energy = np.float64(0), np.float64(0)
    store_double(scratch + SUMS, total)
    for i in range(n):
        x = np.float64(load_float(ordered + 4 * i)) - center
        total += x
        energy += x * x
        store_double(scratch + SUMS + 8 * i + 8, total)
    return energy


def _find_gains(first: int, j: int, scratch: int) -> None:
    """g(i, j) for i = first .. j - 1, and up to seven numbers more."""
    here = doubles_of(load_double(scratch + SUMS + 8 * j))
    counts = scratch + COUNTS + 8 * (MOST - j)
    for i in range(first, j, 8):
        difference = subtract(here, load_doubles(scratch + SUMS + 8 * i))
        store(scratch + GAINS + 8 * i, divide(multiply(difference, difference), load_doubles(counts + 8 * i)))


def _fill(n: int, margin: np.float64, scratch: int) -> None:
    """BEST for j = 1 .. n - 1: lanes 0 .. 7 of earlier rows give lanes 1 .. 8, lanes 8 .. 14 give 9 .. 15.

    The lane after the last, which nobody wants, spills into lane 0 of the next row before that is written.
    """
    best, gains = scratch + BEST, scratch + GAINS
    nothing, margins = doubles_of(-INFINITY), doubles_of(margin)
    store(best, nothing)
    store(best + 64, nothing)
    low, high = 1, 1  # the first i that may win, for few runs and for many
    for j in range(1, n):
        low = min(low, high)
        _find_gains(low, j, scratch)
        few, many = nothing, nothing
        for i in range(low, min(high, j)):
            few = larger(add(load_doubles(best + ROW * i), doubles_of(load_double(gains + 8 * i))), few)
        for i in range(high, j):
            gain = doubles_of(load_double(gains + 8 * i))
            few = larger(add(load_doubles(best + ROW * i), gain), few)
            many = larger(add(load_doubles(best + ROW * i + 64), gain), many)
        whole = load_double(scratch + SUMS + 8 * j)
        store_double(best + ROW * j, whole * whole / np.float64(j))
        store(best + ROW * j + 8, few)
        store(best + ROW * j + 72, many)
        low = _onwards(low, best, gains, subtract(few, margins))
        high = _onwards(high, best + 64, gains, subtract(many, margins))


def _onwards(i, best, gains, floor):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The first i whose candidates are not all below the floor."""
    while all_below(add(load_doubles(best + ROW * i), doubles_of(load_double(gains + 8 * i))), floor):
        i += 1
    return i


def _start_of_last(end: int, best: int, scratch: int) -> int:
    """Where the last run of those that end at `end` starts; of equally good places the leftmost."""
    _find_gains(0, end, scratch)
    most, at = -INFINITY, 0
    for i in range(end):
        candidate = load_double(best + ROW * i) + load_double(scratch + GAINS + 8 * i)
        if candidate > most:
            most, at = candidate, i
    return at


