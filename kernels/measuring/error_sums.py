"""Error sums: how far decoded weights are from the original.

The sums are those of `fourcc.metrics`: float64, down each column, then over the columns from left to right; each square
and each sum is rounded by itself. The results lie at the start of the scratch memory (`RESULTS`).
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import COLS, OUT, OUT_STRIDE, X_STRIDE, Array, X, offset
from fourcc.kernels.simd.arithmetic import absolute, add, doubles_of, larger, multiply, subtract
from fourcc.kernels.simd.float64 import high_doubles, largest_double, low_doubles
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import (
    load_double,
    load_doubles,
    load_floats,
    load_word,
    store,
    store_double,
)
from fourcc.kernels.simd.partial import load_some_floats

RESULTS = np.dtype([("signal", "<f8"), ("noise", "<f8"), ("max_error", "<f8")])  # sum w^2, sum e^2, max |e|
SIGNAL, NOISE, LARGEST = offset(RESULTS, "signal"), offset(RESULTS, "noise"), offset(RESULTS, "max_error")
STRIP = 512  # columns whose sums stay in the cache
SQUARES, ERRORS = 64, 64 + 8 * STRIP  # where a strip's sums lie


def error_sums(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Sums over rows first .. last of the originals at X and the decoded weights at OUT, all of them finite."""
    cols = load_word(weights + COLS)
    for word in (SIGNAL, NOISE, LARGEST):
        store_double(scratch + word, np.float64(0))
    for left in range(0, cols, STRIP):
        width = min(STRIP, cols - left)
        for word in range(SQUARES, SQUARES + 16 * STRIP, 64):
            store(scratch + word, doubles_of(np.float64(0)))
        _down(job, first, last, left, width, scratch)
        _across(width, scratch)


def results(scratch: Array) -> dict[str, float]:
    """The sums that the kernel left in its scratch memory, by the names of `fourcc.metrics.ErrorSums`."""
    (sums,) = scratch[: RESULTS.itemsize].view(RESULTS)
    return {name: float(sums[name]) for name in RESULTS.names or ()}


def _down(job: int, first: int, last: int, left: int, width: int, scratch: int) -> None:
    """Adds the rows of a strip of columns to its sums."""
    top = doubles_of(load_double(scratch + LARGEST))
    whole = width >> 4 << 4
    for row in range(first, last):
        x = load_word(job + X) + row * load_word(job + X_STRIDE) + 4 * left
        v = load_word(job + OUT) + row * load_word(job + OUT_STRIDE) + 4 * left
        for col in range(0, whole, 16):
            top = _add(load_floats(x + 4 * col), load_floats(v + 4 * col), scratch + 8 * col, top)
        if whole < width:
            rest = width - whole
            w, decoded = load_some_floats(x + 4 * whole, rest), load_some_floats(v + 4 * whole, rest)
            top = _add(w, decoded, scratch + 8 * whole, top)
    store_double(scratch + LARGEST, largest_double(top))


def _add(w: Lanes, decoded: Lanes, sums: int, top: Lanes) -> Lanes:
    """Adds the squares of 16 columns to their sums; returns the largest errors so far."""
    low, high = low_doubles(w), high_doubles(w)
    low_error, high_error = subtract(low, low_doubles(decoded)), subtract(high, high_doubles(decoded))
    store(sums + SQUARES, add(load_doubles(sums + SQUARES), multiply(low, low)))
    store(sums + SQUARES + 64, add(load_doubles(sums + SQUARES + 64), multiply(high, high)))
    store(sums + ERRORS, add(load_doubles(sums + ERRORS), multiply(low_error, low_error)))
    store(sums + ERRORS + 64, add(load_doubles(sums + ERRORS + 64), multiply(high_error, high_error)))
    most: Lanes = larger(larger(top, absolute(low_error)), absolute(high_error))
    return most


def _across(width: int, scratch: int) -> None:
    """Adds the sums of a strip's columns to the totals, from left to right."""
    signal, noise = load_double(scratch + SIGNAL), load_double(scratch + NOISE)
    for col in range(width):
        signal += load_double(scratch + SQUARES + 8 * col)
        noise += load_double(scratch + ERRORS + 8 * col)
    store_double(scratch + SIGNAL, signal)
    store_double(scratch + NOISE, noise)
