"""Encodes and decodes Q4_A: sixteen bins for 256 weights along a row.

Every operation is that of `fourcc.formats.q4_a`. A radix sort orders a block, in four passes of eight bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, PARTS, X_STRIDE, X
from fourcc.kernels.encoders import kmeans1d
from fourcc.kernels.encoders.block_by_block import SCRATCH
from fourcc.kernels.encoders.kmeans1d import cut_optimally, set_up
from fourcc.kernels.simd.arithmetic import no_ints
from fourcc.kernels.simd.dot import lookup
from fourcc.kernels.simd.memory import (
    load_byte,
    load_double,
    load_float,
    load_floats,
    load_int,
    load_word,
    store,
    store_byte,
    store_double,
    store_float,
    store_int,
    store_word,
)
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats
from fourcc.kernels.simd.select import counted_from, load_nibble_pairs, load_some_nibble_pairs
from fourcc.kernels.simd.store_narrow import store_low_bytes, store_nibble_pairs

Cut = Callable[[int, int, int, int], int]  # (ordered, n, starts, scratch) writes starts -> number of runs
BLOCK = 256
BINS = 16
INDICES = PARTS + 8
SIGN, ALL = 0x80000000, 0xFFFFFFFF

# Scratch memory, after that of `kmeans1d`.
ORDERED = (kmeans1d.BYTES + 63) // 64 * 64
OTHER = ORDERED + 4 * BLOCK  # keys between two passes of the sort
TALLY = OTHER + 4 * BLOCK  # counts of digits, four times 256 int32
STARTS = TALLY + 4 * 4 * 256  # of the runs, 17 int64
BOUNDS = STARTS + 8 * (BINS + 1)  # 15 doubles; from its bound on, a weight takes the next bin
SPARE = BOUNDS + 8 * BINS
assert SPARE + 64 <= SCRATCH


# -- sorting


def _sort(x: int, n: int, scratch: int) -> None:
    """Sorts 1 .. 256 weights, ascending, to ORDERED."""
    keys, other, tally = scratch + ORDERED, scratch + OTHER, scratch + TALLY
    for each in range(4 * 256):
        store_int(tally + 4 * each, 0)
    for i in range(n):
        bits = load_int(x + 4 * i)
        key = (bits ^ (bits >> 63 | SIGN)) & ALL  # as unsigned integers, keys have the order of the floats
        store_int(keys + 4 * i, key)
        for digit in range(4):
            place = tally + 1024 * digit + 4 * (key >> 8 * digit & 255)
            store_int(place, load_int(place) + 1)
    for digit in range(4):
        before = 0
        for value in range(256):
            place = tally + 1024 * digit + 4 * value
            count = load_int(place)
            store_int(place, before)
            before += count
    for digit in range(4):
        _sort_by_digit(keys, other, n, tally + 1024 * digit, 8 * digit)
        keys, other = other, keys
    for i in range(n):
        key = load_int(keys + 4 * i)
        store_int(keys + 4 * i, key ^ (SIGN if key < 0 else ALL))


def _sort_by_digit(source: int, out: int, n: int, tally: int, shift: int) -> None:
    for i in range(n):
        key = load_int(source + 4 * i)
        place = tally + 4 * (key >> shift & 255)
        at = load_int(place)
        store_int(place, at + 1)
        store_int(out + 4 * at, key)


# -- runs


def _cut_evenly(ordered: int, n: int, starts: int, scratch: int) -> int:
    """Cuts into runs of equal counts, and returns their number."""
    count = min(n, BINS)
    for run in range(count):
        store_word(starts + 8 * run, run * n // count)
    return count


def _cut_at_least_error(ordered: int, n: int, starts: int, scratch: int) -> int:
    """Cuts into one run a value where there are at most 16 values, else optimally; returns the number of runs."""
    count = 1
    store_word(starts, 0)
    for i in range(1, n):
        if load_float(ordered + 4 * i) != load_float(ordered + 4 * i - 4):
            if count == BINS:
                cut_optimally(ordered, n, starts, scratch)
                return BINS
            store_word(starts + 8 * count, i)
            count += 1
    return count


def _store_means(ordered: int, n: int, starts: int, count: int, bins: int) -> None:
    """Stores the means of the runs, summed from left to right; the last mean fills up the 16 bins."""
    mean = np.float32(0)
    store_word(starts + 8 * count, n)
    for run in range(BINS):
        if run < count:
            first, end = load_word(starts + 8 * run), load_word(starts + 8 * run + 8)
            total = np.float64(0)
            for i in range(first, end):
                total += np.float64(load_float(ordered + 4 * i))
            mean = np.float32(total / np.float64(end - first))
        store_float(bins + 4 * run, mean)


# -- indices


def _store_bounds(bins: int, bounds: int) -> None:
    """Stores the bounds from which on a weight takes the upper of two bins: half-way, or just above two equal bins."""
    for upper in range(1, BINS):
        low, high = np.float64(load_float(bins + 4 * upper - 4)), np.float64(load_float(bins + 4 * upper))
        place = bounds + 8 * upper - 8
        middle = (low + high) / np.float64(2)
        store_double(place, middle)
        if low >= high:  # take the next double
            bits = load_word(place)
            store_word(place, 1 if middle == np.float64(0) else (bits + 1 if bits > 0 else bits - 1))


def _store_indices(x: int, n: int, bounds: int, q: int, spare: int) -> None:
    """Stores the indices of the nearest bins: an index counts the bounds that are not above the weight."""
    for col in range(0, n, 16):
        rest = n - col
        w = load_floats(x + 4 * col) if rest >= 16 else load_some_floats(x + 4 * col, rest)
        index = no_ints()
        for each in range(BINS - 1):
            index = counted_from(index, w, load_double(bounds + 8 * each))
        if rest >= 16:
            store_nibble_pairs(q + (col >> 1), index)
        else:
            store_low_bytes(spare, index)
            store_byte(spare + rest, 0)
            for pair in range((rest + 1) >> 1):
                both = load_byte(spare + 2 * pair) << 4 | load_byte(spare + 2 * pair + 1)
                store_byte(q + (col >> 1) + pair, both)


# -- kernels


def _encoder(cut: Cut) -> KernelFunction:
    """The encoder that cuts the ordered weights by a function."""

    def encode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        blocks = (cols + (BLOCK - 1)) >> 8
        ordered, starts, bounds = scratch + ORDERED, scratch + STARTS, scratch + BOUNDS
        set_up(scratch)
        for row in range(first, last):
            q = load_word(weights + INDICES) + row * ((cols + 1) >> 1)
            for block in range(blocks):
                x = load_word(job + X) + row * load_word(job + X_STRIDE) + 4 * BLOCK * block
                bins = load_word(weights + PARTS) + 4 * BINS * (row * blocks + block)
                n = min(BLOCK, cols - BLOCK * block)
                _sort(x, n, scratch)
                _store_means(ordered, n, starts, cut(ordered, n, starts, scratch), bins)
                _store_bounds(bins, bounds)
                _store_indices(x, n, bounds, q + BLOCK // 2 * block, scratch + SPARE)

    return encode


_EVENLY, _AT_LEAST_ERROR = _encoder(_cut_evenly), _encoder(_cut_at_least_error)


def encoder(options: Mapping[str, object]) -> KernelFunction:
    """The encoder for the option `method`."""
    return _EVENLY if options["method"] == "equal-count" else _AT_LEAST_ERROR


def decode(weights: int, row: int, out: int) -> None:
    """Decodes a row of Q4_A."""
    cols = load_word(weights + COLS)
    p = load_word(weights + INDICES) + row * ((cols + 1) >> 1)
    bins = load_word(weights + PARTS) + row * ((cols + (BLOCK - 1)) >> 8) * 64
    whole = cols >> 4 << 4
    for col in range(0, whole, 16):
        store(out + 4 * col, lookup(load_floats(bins + (col >> 8) * 64), load_nibble_pairs(p + (col >> 1))))
    if whole < cols:
        rest = cols - whole
        some = load_some_nibble_pairs(p + (whole >> 1), (rest + 1) >> 1)
        store_some_floats(out + 4 * whole, lookup(load_floats(bins + (whole >> 8) * 64), some), rest)
