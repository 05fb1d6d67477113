"""Sixteen groups of weights side by side, one a lane: what encoders with a search share.

`fourcc.formats.searches.columns` has many groups, each a column; here a column is a lane of a vector, and a row of that
array is a vector in memory. Every operation is rounded by itself, and sums go from a group's first weight to its last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import COLS, PARTS, X_STRIDE
from fourcc.kernels.descriptors import X as JOB_X
from fourcc.kernels.encoders.block_by_block import Encoder, always, block_by_block
from fourcc.kernels.simd.arithmetic import absolute, divide, floats_of, ints_from_floats, rounded
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store
from fourcc.kernels.simd.select import where_equal, where_less
from fourcc.kernels.simd.transpose import transpose

Function = Callable[..., Any]
LANES = 16
VECTOR = 64  # bytes
NOTHING = np.float32(1e-15)  # a group whose largest magnitude is below this is zero
ZERO, ONE, INFINITY = np.float32(0), np.float32(1), np.float32(np.inf)
NO_TERM = np.float32(-0.0)  # what a sum begins with: it leaves the first term as it is, a zero's sign too

# Scratch memory: 32 vectors each.
STAGED = 0  # weights, and codes, in the order in which they are stored
X = STAGED + 32 * VECTOR  # weights, a vector for each of a group's
COUNTED = X + 32 * VECTOR  # what their errors count
TRIED = COUNTED + 32 * VECTOR  # codes
SPARE = TRIED + 32 * VECTOR


def load_sixteens(x: int, scratch: int) -> None:
    """256 weights as sixteen groups of sixteen, to X."""
    transpose(x, VECTOR, scratch + X)


def block_encoder(size: int, encode_block: Function) -> Encoder:
    """The encoder of blocks of `size` bytes that are sixteen groups of sixteen: (block, scratch) fills one."""

    def encode(x: int, p: int, scratch: int) -> None:
        load_sixteens(x, scratch)
        encode_block(p, scratch)

    return block_by_block(256, size, encode)


def pair_encoder(size: int, encode_pair: Function) -> Encoder:
    """The encoder of blocks of `size` bytes that are eight groups of 32: (one, other, scratch) fills two.

    The last block of an odd number is filled twice, side by side.
    """

    def encode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks, base = load_word(weights + COLS) >> 8, load_word(weights + PARTS)
        x, step = load_word(job + JOB_X), load_word(job + X_STRIDE)
        for one in range(first * blocks, last * blocks, 2):
            other = min(one + 2, last * blocks) - 1
            here, there = x + one // blocks * step, x + other // blocks * step
            load_thirty_twos(here + 1024 * (one % blocks), there + 1024 * (other % blocks), scratch)
            encode_pair(base + size * one, base + size * other, scratch)

    return always(encode)


def load_thirty_twos(first: int, second: int, scratch: int) -> None:
    """Twice 256 weights as sixteen groups of 32, to X."""
    for at in range(0, 16 * VECTOR, VECTOR):
        store(scratch + STAGED + at, load_floats(first + at))
        store(scratch + STAGED + 16 * VECTOR + at, load_floats(second + at))
    turn_thirty_twos(scratch)


def turn_thirty_twos(scratch: int) -> None:
    """Sixteen groups of 32 weights, one after the other at STAGED, to X."""
    for half in range(2):
        transpose(scratch + STAGED + VECTOR * half, 2 * VECTOR, scratch + X + 16 * VECTOR * half)


def order_codes(size: int, scratch: int) -> None:
    """Codes at TRIED, a vector for each of a group's `size` weights, to STAGED as int32 in the order of the weights."""
    for part in range(0, size, LANES):
        source = scratch + TRIED + VECTOR * part
        for each in range(LANES):
            store(source + VECTOR * each, ints_from_floats(load_floats(source + VECTOR * each)))
        transpose(source, VECTOR, scratch + X)
        for group in range(LANES):
            to = scratch + STAGED + 4 * (size * group + part)
            store(to, load_floats(scratch + X + VECTOR * group))


def nearest(x: Lanes, low: np.float32, high: np.float32) -> Lanes:
    """The nearest whole numbers, half to even, within bounds; of NaN, NaN."""
    whole, least, most = rounded(x), floats_of(low), floats_of(high)
    above = where_less(whole, least, least, whole)
    made: Lanes = where_less(most, above, most, above)
    return made


def finite_inverse(steps: Lanes, extent: Lanes) -> Lanes:
    """Steps by extent; 0 where that is infinite."""
    inverse, zero = divide(steps, extent), floats_of(ZERO)
    made: Lanes = where_equal(absolute(inverse), floats_of(INFINITY), zero, inverse)
    return made


def largest_of_positive(values: int, first: int, last: int) -> np.float32:
    """The largest of the numbers at an address that are above 0; +0 where there is none."""
    peak = ZERO
    for lane in range(first, last):
        each = load_float(values + 4 * lane)
        if each > peak:  # noqa: PLR1730 - of `max`, compiled, the sign of a zero is not known
            peak = each
    return peak
