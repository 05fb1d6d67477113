"""Sixteen groups of weights side by side, one a lane, for encoders with a search.

In `fourcc.formats.searches.columns` every column is a group. Here a column is a lane of a vector, and a row of that
array is a vector in memory. Every operation is rounded separately, and sums run from a group's first weight to its
last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.descriptors import COLS, PARTS, X_STRIDE
from fourcc.kernels.descriptors import X as JOB_X
from fourcc.kernels.encoders.block_by_block import block_by_block, without_options
from fourcc.kernels.kernel import Encoder
from fourcc.kernels.simd.arithmetic import absolute, divide, floats_of, ints_from_floats, rounded
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_float, load_floats, load_word, store
from fourcc.kernels.simd.select import where_equal, where_less
from fourcc.kernels.simd.transpose import transpose

EncodePair = Callable[[int, int, int], None]  # (one, other, scratch)
LANES = 16
NOTHING = np.float32(1e-15)  # a group whose largest magnitude is below this counts as zero
ZERO, ONE, INFINITY = np.float32(0), np.float32(1), np.float32(np.inf)
NO_TERM = np.float32(-0.0)  # the initial value of a sum: it preserves the first term, even the sign of a zero

# Scratch memory: 32 vectors each.
STAGED = 0  # weights, and codes, in the order in which they are stored
X = STAGED + 32 * VECTOR  # weights: vector i holds weight i of all groups
IMPORTANCE = X + 32 * VECTOR  # the weight of every error in a search
TRIED = IMPORTANCE + 32 * VECTOR  # codes
SPARE = TRIED + 32 * VECTOR


def load_sixteens(x: int, scratch: int) -> None:
    """Transposes 256 weights, sixteen groups of sixteen, to X."""
    transpose(x, VECTOR, scratch + X)


def block_encoder(size: int, encode_block: Callable[[int, int], None]) -> Encoder:
    """The encoder of blocks of `size` bytes with sixteen groups of 16; (block, scratch) encodes the groups at X."""

    def encode(x: int, p: int, scratch: int) -> None:
        load_sixteens(x, scratch)
        encode_block(p, scratch)

    return block_by_block(256, size, encode)


def pair_encoder(size: int, encode_pair: EncodePair) -> Encoder:
    """The encoder of blocks of `size` bytes with eight groups of 32; (one, other, scratch) encodes the groups at X.

    Where the number of blocks is odd, both halves of the lanes encode the last one.
    """

    def encode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks, base = load_word(weights + COLS) >> 8, load_word(weights + PARTS)
        x, stride = load_word(job + JOB_X), load_word(job + X_STRIDE)
        for one in range(first * blocks, last * blocks, 2):
            other = min(one + 2, last * blocks) - 1
            here, there = x + one // blocks * stride, x + other // blocks * stride
            load_thirty_twos(here + 1024 * (one % blocks), there + 1024 * (other % blocks), scratch)
            encode_pair(base + size * one, base + size * other, scratch)

    return without_options(encode)


def load_thirty_twos(first: int, second: int, scratch: int) -> None:
    """Transposes twice 256 weights, sixteen groups of 32, to X."""
    for at in range(0, 16 * VECTOR, VECTOR):
        store(scratch + STAGED + at, load_floats(first + at))
        store(scratch + STAGED + 16 * VECTOR + at, load_floats(second + at))
    transpose_thirty_twos(scratch)


def transpose_thirty_twos(scratch: int) -> None:
    """Transposes sixteen groups of 32 weights, one after the other at STAGED, to X."""
    for half in range(2):
        transpose(scratch + STAGED + VECTOR * half, 2 * VECTOR, scratch + X + 16 * VECTOR * half)


def order_codes(size: int, scratch: int) -> None:
    """Transposes the codes of groups of `size` weights from TRIED to STAGED, as int32 in the order of the weights."""
    for part in range(0, size, LANES):
        source = scratch + TRIED + VECTOR * part
        for each in range(LANES):
            store(source + VECTOR * each, ints_from_floats(load_floats(source + VECTOR * each)))
        transpose(source, VECTOR, scratch + X)
        for group in range(LANES):
            to = scratch + STAGED + 4 * (size * group + part)
            store(to, load_floats(scratch + X + VECTOR * group))


def nearest(x: Lanes, low: np.float32, high: np.float32) -> Lanes:
    """The nearest whole numbers, half to even, clamped to bounds; NaN for NaN."""
    whole, least, most = rounded(x), floats_of(low), floats_of(high)
    above = where_less(whole, least, least, whole)
    clamped: Lanes = where_less(most, above, most, above)
    return clamped


def finite_inverse(codes: Lanes, extent: Lanes) -> Lanes:
    """The inverse scale codes / extent, or 0 where the quotient is infinite."""
    quotient, zero = divide(codes, extent), floats_of(ZERO)
    inverse: Lanes = where_equal(absolute(quotient), floats_of(INFINITY), zero, quotient)
    return inverse


def largest_of_positive(values: int, first: int, last: int) -> np.float32:
    """The largest of the numbers first .. last - 1 at an address that are above 0; +0 where none is."""
    peak = ZERO
    for lane in range(first, last):
        each = load_float(values + 4 * lane)
        if each > peak:  # noqa: PLR1730 - compiled, `max` does not define the sign of a zero
            peak = each
    return peak
