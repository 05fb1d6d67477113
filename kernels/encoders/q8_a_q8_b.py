"""Encodes and decodes QMatrix's 8-bit codes: Q8_A, scales down columns, and Q8_B, scales and means along rows.

Every operation is that of `fourcc.formats.q8_a` and `fourcc.formats.q8_b`: a code is a true quotient of doubles, and
the sum of a block runs from left to right. So the bytes are the same. For the sums of Q8_B, eight rows lie side by
side, one a lane.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import COLS, OUT, OUT_STRIDE, PARTS, X_STRIDE, X
from fourcc.kernels.simd.arithmetic import (
    absolute,
    add,
    divide,
    doubles_of,
    larger,
    largest,
    multiply,
    no_floats,
    subtract,
)
from fourcc.kernels.simd.float64 import (
    floats_from_doubles,
    high_doubles,
    largest_double,
    load_bytes_as_doubles,
    load_float_of_each,
    load_some_bytes_as_doubles,
    low_doubles,
    store_nearest_bytes,
    store_some_nearest_bytes,
)
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import (
    load_double,
    load_doubles,
    load_float,
    load_floats,
    load_word,
    store,
    store_double,
    store_float,
)
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats

BLOCK = 128  # rows of Q8_A, columns of Q8_B
TOP = np.float64(127)  # the largest code
INFINITY = np.float64(np.inf)
HUGE = np.float32(2.0**127)  # a block of Q8_B with a weight of this magnitude or more has the mean 0
SECOND, THIRD = PARTS + 8, PARTS + 16
STRIP = 256  # columns of Q8_A whose 128 rows stay in the cache between two passes
DIVISORS = 4 * STRIP  # scratch memory of Q8_A: a strip's scales, then its divisors, doubles
COLUMNS_AT_ONCE = 2048  # columns of Q8_A that are decoded at a time: their scales take 16 KB of scratch memory
ROWS = 8  # rows of Q8_B that are summed side by side


def _divisor(scale: np.float32) -> np.float64:
    """The divisor of 127 w: infinity where the scale is 0, so that the codes are 0 too."""
    return INFINITY if scale == np.float32(0) else np.float64(scale)


def _quotient(w: Lanes, divisor: Lanes) -> Lanes:
    quotient: Lanes = divide(multiply(w, doubles_of(TOP)), divisor)
    return quotient


# -- down columns


def encode_columns(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Encodes Q8_A, a strip of columns of a block of rows at a time."""
    cols, stride = load_word(weights + COLS), load_word(job + X_STRIDE)
    for top in range(first, last, BLOCK):
        rows = min(last - top, BLOCK)
        x = load_word(job + X) + top * stride
        scales = load_word(weights + PARTS) + 4 * (top >> 7) * cols
        codes = load_word(weights + SECOND) + top * cols
        for left in range(0, cols, STRIP):
            width = min(STRIP, cols - left)
            _largest_of_columns(x + 4 * left, stride, rows, width, scratch)
            for col in range(width):
                scale = load_float(scratch + 4 * col)
                store_float(scales + 4 * (left + col), scale)
                store_double(scratch + DIVISORS + 8 * col, _divisor(scale))
            for row in range(rows):
                _codes_of_columns(x + row * stride + 4 * left, width, codes + row * cols + left, scratch + DIVISORS)


def _largest_of_columns(x: int, stride: int, rows: int, width: int, out: int) -> None:
    """Writes the largest |w| of every column; the columns up to a multiple of 16 get zeros."""
    for col in range(0, width, 16):
        store(out + 4 * col, no_floats())
    whole = width >> 4 << 4
    for row in range(rows):
        p = x + row * stride
        for col in range(0, whole, 16):
            store(out + 4 * col, larger(load_floats(out + 4 * col), absolute(load_floats(p + 4 * col))))
        if whole < width:
            some = load_some_floats(p + 4 * whole, width - whole)
            store(out + 4 * whole, larger(load_floats(out + 4 * whole), absolute(some)))


def _codes_of_columns(x: int, width: int, codes: int, divisors: int) -> None:
    whole = width >> 4 << 4
    for col in range(0, whole, 16):
        w, by = load_floats(x + 4 * col), divisors + 8 * col
        low, high = _quotient(low_doubles(w), load_doubles(by)), _quotient(high_doubles(w), load_doubles(by + 64))
        store_nearest_bytes(codes + col, low, high)
    if whole < width:
        w, by = load_some_floats(x + 4 * whole, width - whole), divisors + 8 * whole
        low, high = _quotient(low_doubles(w), load_doubles(by)), _quotient(high_doubles(w), load_doubles(by + 64))
        store_some_nearest_bytes(codes + whole, low, high, width - whole)


def decode_columns(weights: int, row: int, out: int) -> None:
    """Decodes a row of Q8_A."""
    cols = load_word(weights + COLS)
    q = load_word(weights + SECOND) + row * cols
    scales = load_word(weights + PARTS) + 4 * (row >> 7) * cols
    for col in range(0, cols, 16):
        scale = load_floats(scales + 4 * col) if cols - col >= 16 else load_some_floats(scales + 4 * col, cols - col)
        low, high = _unit(low_doubles(scale)), _unit(high_doubles(scale))
        _store_products(low, high, q + col, out + 4 * col, cols - col)


def decode_blocks(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Decodes rows of Q8_A; the divided scales are computed once for all rows of a block."""
    cols = load_word(weights + COLS)
    row = first
    while row < last:
        end = min(last, ((row >> 7) + 1) << 7)
        for left in range(0, cols, COLUMNS_AT_ONCE):
            width = min(COLUMNS_AT_ONCE, cols - left)
            scales = load_word(weights + PARTS) + 4 * ((row >> 7) * cols + left)
            for col in range(0, width, 16):
                rest = width - col
                scale = load_floats(scales + 4 * col) if rest >= 16 else load_some_floats(scales + 4 * col, rest)
                store(scratch + 8 * col, _unit(low_doubles(scale)))
                store(scratch + 8 * col + 64, _unit(high_doubles(scale)))
            for each in range(row, end):
                q = load_word(weights + SECOND) + each * cols + left
                out = load_word(job + OUT) + each * load_word(job + OUT_STRIDE) + 4 * left
                for col in range(0, width, 16):
                    low, high = load_doubles(scratch + 8 * col), load_doubles(scratch + 8 * col + 64)
                    _store_products(low, high, q + col, out + 4 * col, width - col)
        row = end


def _unit(scale: Lanes) -> Lanes:
    """The weight of code 1."""
    unit: Lanes = divide(scale, doubles_of(TOP))
    return unit


def _store_products(low: Lanes, high: Lanes, q: int, out: int, rest: int) -> None:
    """Stores the products of sixteen codes, or of the first `rest`, with sixteen doubles."""
    if rest >= 16:
        low, high = multiply(low, load_bytes_as_doubles(q)), multiply(high, load_bytes_as_doubles(q + 8))
        store(out, floats_from_doubles(low, high))
    else:
        low = multiply(low, load_some_bytes_as_doubles(q, min(8, rest)))
        high = multiply(high, load_some_bytes_as_doubles(q + 8, max(0, rest - 8)))
        store_some_floats(out, floats_from_doubles(low, high), rest)


# -- along rows


def encode_rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Encodes Q8_B, a block of eight rows at a time; fewer rows that are left go one by one."""
    cols, stride = load_word(weights + COLS), load_word(job + X_STRIDE)
    blocks = (cols + (BLOCK - 1)) >> 7
    row = first
    while row < last:
        rows = ROWS if row + ROWS <= last else 1
        for block in range(blocks):
            left = block << 7
            width = min(BLOCK, cols - left)
            x = load_word(job + X) + row * stride + 4 * left
            store(scratch, _sums(x, stride if rows == ROWS else 0, width))
            for each in range(rows):
                at = 4 * ((row + each) * blocks + block)
                codes = load_word(weights + THIRD) + (row + each) * cols + left
                places = load_word(weights + PARTS) + at, load_word(weights + SECOND) + at
                _encode_block(x + each * stride, width, load_double(scratch + 8 * each), codes, places, scratch + 64)
        row += rows


def _sums(x: int, stride: int, width: int) -> Lanes:
    """The sums of a block of eight rows, from left to right."""
    total: Lanes = load_float_of_each(x, stride)
    for col in range(1, width):
        total = add(total, load_float_of_each(x + 4 * col, stride))
    return total


def _encode_block(w: int, width: int, total: np.float64, codes: int, places: tuple[int, int], scratch: int) -> None:
    """Encodes a block of a row, of which `total` is the sum; `places` are the addresses of its scale and its mean."""
    if width & 15:
        for col in range((width + 15) >> 4 << 4):  # fill up with the first weight, which changes no maximum
            store_float(scratch + 4 * col, load_float(w + 4 * (col if col < width else 0)))
        w = scratch
    peak, most = no_floats(), doubles_of(np.float64(0))
    for col in range(0, width, 16):
        peak = larger(peak, absolute(load_floats(w + 4 * col)))
    mean = np.float32(0) if largest(peak) >= HUGE else np.float32(total / np.float64(width))
    center = doubles_of(np.float64(mean))
    for col in range(0, width, 16):
        x = load_floats(w + 4 * col)
        most = larger(most, absolute(subtract(low_doubles(x), center)))
        most = larger(most, absolute(subtract(high_doubles(x), center)))
    scale = np.float32(largest_double(most))
    divisor = doubles_of(_divisor(scale))
    for col in range(0, width, 16):
        x = load_floats(w + 4 * col)
        low, high = subtract(low_doubles(x), center), subtract(high_doubles(x), center)
        low, high = _quotient(low, divisor), _quotient(high, divisor)
        if width - col >= 16:
            store_nearest_bytes(codes + col, low, high)
        else:
            store_some_nearest_bytes(codes + col, low, high, width - col)
    store_float(places[0], scale)
    store_float(places[1], mean)


def decode_rows(weights: int, row: int, out: int) -> None:
    """Decodes a row of Q8_B."""
    cols = load_word(weights + COLS)
    blocks = (cols + (BLOCK - 1)) >> 7
    q = load_word(weights + THIRD) + row * cols
    for block in range(blocks):
        at = 4 * (row * blocks + block)
        unit = doubles_of(np.float64(load_float(load_word(weights + PARTS) + at)) / TOP)
        mean = doubles_of(np.float64(load_float(load_word(weights + SECOND) + at)))
        for col in range(BLOCK * block, min(cols, BLOCK * block + BLOCK), 16):
            p, rest = q + col, cols - col
            if rest >= 16:
                low, high = load_bytes_as_doubles(p), load_bytes_as_doubles(p + 8)
                store(out + 4 * col, floats_from_doubles(_affine(low, unit, mean), _affine(high, unit, mean)))
            else:
                low = load_some_bytes_as_doubles(p, min(8, rest))
                high = load_some_bytes_as_doubles(p + 8, max(0, rest - 8))
                floats = floats_from_doubles(_affine(low, unit, mean), _affine(high, unit, mean))
                store_some_floats(out + 4 * col, floats, rest)


def _affine(q: Lanes, unit: Lanes, mean: Lanes) -> Lanes:
    weights: Lanes = add(multiply(unit, q), mean)
    return weights
