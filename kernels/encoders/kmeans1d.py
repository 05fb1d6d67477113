"""Cuts ordered weights into 16 runs with the least sum of squared errors, like `fourcc.formats.searches`.

With S the prefix sums of the centred, ordered weights x, best[r, j] = max over i < j of best[r - 1, i] + g(i, j), where
g(i, j) = (S[j] - S[i])^2 / (j - i). For a j, the kernel computes all r at once, one a lane. It skips an i that cannot
win for any later j. This changes no value, so the walk back finds the same cuts:

    sum of x^2 in i .. j - g(i, j) is the squared error of a run of ordered numbers, which has the Monge property, so
    g(i, j') - g(i*, j') <= g(i, j) - g(i*, j) for i < i* < j < j'. An i whose candidate at j is below that of some
    i* > i is below it at every later j' too, by at least as much. Candidates as floats are off by less than
    4 n sqrt(n) 2^-53 E, with E = sum of x^2: 2^-39 E for n = 256. So a candidate that is below the largest by 2^-30 E
    at some j is never the largest later, and never ties with it.

The kernel skips only the leftmost i, so the others form a window, which is about j / r wide.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.arithmetic import add, divide, doubles_of, multiply, subtract
from fourcc.kernels.simd.float64 import all_below, larger_of_positive, last_then
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import (
    load_double,
    load_doubles,
    load_float,
    store,
    store_double,
    store_word,
)

POSITIONS = 256  # at most; scratch memory is laid out for so many
RUNS = 16
MARGIN = np.float64(2.0**-30)
INFINITY = np.float64(np.inf)

# Scratch memory. A row of BEST belongs to one position j: lane r - 1 is best[r, j], r = 1 .. 16.
ROW = 8 * RUNS
BEST = 0
SUMS = BEST + ROW * (POSITIONS + 8)
COUNTS = SUMS + 8 * (POSITIONS + 16)  # lengths of runs, POSITIONS .. 1, as doubles
GAINS = COUNTS + 8 * (POSITIONS + 16)
NEXT_GAINS = GAINS + 8 * (POSITIONS + 16)
BYTES = NEXT_GAINS + 8 * (POSITIONS + 16)


def set_up(scratch: int) -> None:
    """Initializes scratch memory for any number of cuts.

    BEST must hold numbers. COUNTS gets the lengths; the 1s after them are divisors whose quotients are not used.
    """
    for i in range(0, ROW * (POSITIONS + 8), 64):
        store(scratch + BEST + i, doubles_of(-INFINITY))
    for i in range(POSITIONS + 16):
        store_double(scratch + COUNTS + 8 * i, np.float64(max(1, POSITIONS - i)))


def cut_optimally(ordered: int, n: int, starts: int, scratch: int) -> None:
    """Writes where the 16 runs start.

    Args:
        ordered: address of n float32, ascending, with more than 16 different values among them.
        n: 17 .. 256.
        starts: address of 16 int64 for the result.
        scratch: BYTES of memory, after `set_up`.
    """
    energy = _sum_up(ordered, n, scratch)
    _fill(n, energy * MARGIN, scratch)
    end = n
    for run in range(RUNS - 1, 0, -1):
        end = _start_of_last(end, scratch + BEST + 8 * (run - 1), scratch)
        store_word(starts + 8 * run, end)
    store_word(starts, 0)


def _sum_up(ordered: int, n: int, scratch: int) -> np.float64:
    """Writes prefix sums of the centred weights to SUMS, and returns the sum of their squares."""
    center = np.float64(load_float(ordered + 4 * (n >> 1)))
    total, energy = np.float64(0), np.float64(0)
    store_double(scratch + SUMS, total)
    for i in range(n):
        x = np.float64(load_float(ordered + 4 * i)) - center
        total += x
        energy += x * x
        store_double(scratch + SUMS + 8 * i + 8, total)
    return energy


def _find_gains(i: int, j: int, gains: int, scratch: int) -> None:
    """Writes g(i, j) and the next seven; those from i = j on are not used."""
    difference = subtract(
        doubles_of(load_double(scratch + SUMS + 8 * j)),
        load_doubles(scratch + SUMS + 8 * i),
    )
    length = load_doubles(scratch + COUNTS + 8 * (POSITIONS - j + i))
    store(gains + 8 * i, divide(multiply(difference, difference), length))


def _fill(n: int, margin: np.float64, scratch: int) -> None:
    """Fills BEST for j = 1 .. n - 1: lanes 0 .. 7 of earlier rows give lanes 1 .. 8, lanes 8 .. 14 give 9 .. 15.

    It takes eight i at a time, and computes the gains of the next j meanwhile: divisions are slow, but additions go on
    beside them.
    """
    best, here, onward = scratch + BEST, scratch + GAINS, scratch + NEXT_GAINS
    nothing, margins = doubles_of(-INFINITY), doubles_of(margin)
    store(here, nothing)
    low, high = 0, 0  # the first i that may win, for few runs and for many
    for j in range(1, n):
        few, many = nothing, nothing
        for i in range(low & -8, high & -8, 8):
            _find_gains(i, j + 1, onward, scratch)
            few = _best_of_eight(few, best + ROW * i, here + 8 * i)
        for i in range(high & -8, j, 8):
            _find_gains(i, j + 1, onward, scratch)
            few = _best_of_eight(few, best + ROW * i, here + 8 * i)
            many = _best_of_eight(many, best + ROW * i + 64, here + 8 * i)
        if j & 7 == 0:
            _find_gains(j, j + 1, onward, scratch)
        store(onward + 8 * j + 8, nothing)  # positions beyond j never win
        whole = load_double(scratch + SUMS + 8 * j)
        store(best + ROW * j, last_then(doubles_of(whole * whole / np.float64(j)), few))
        store(best + ROW * j + 64, last_then(few, many))
        high = _first_alive(high, best + 64, here, subtract(many, margins))
        low = min(high, _first_alive(low, best, here, subtract(few, margins)))
        here, onward = onward, here


def _best_of_eight(most: Lanes, best: int, gains: int) -> Lanes:
    """The largest of `most` and the candidates in eight rows, by lane."""
    others: Lanes = add(load_doubles(best), doubles_of(load_double(gains)))
    for i in range(2, 8, 2):
        others = larger_of_positive(add(load_doubles(best + ROW * i), doubles_of(load_double(gains + 8 * i))), others)
    for i in range(1, 8, 2):
        most = larger_of_positive(add(load_doubles(best + ROW * i), doubles_of(load_double(gains + 8 * i))), most)
    both: Lanes = larger_of_positive(most, others)
    return both


def _first_alive(i: int, best: int, gains: int, bound: Lanes) -> int:
    """The first position, from i on, whose candidates are not all below the bound."""
    while all_below(add(load_doubles(best + ROW * i), doubles_of(load_double(gains + 8 * i))), bound):
        i += 1
    return i


def _start_of_last(end: int, best: int, scratch: int) -> int:
    """The start of the last of the runs up to `end`; ties go to the leftmost place."""
    for i in range(0, end, 8):
        _find_gains(i, end, scratch + GAINS, scratch)
    most, at = -INFINITY, 0
    for i in range(end):
        candidate = load_double(best + ROW * i) + load_double(scratch + GAINS + 8 * i)
        if candidate > most:
            most, at = candidate, i
    return at
