"""Q8_B: rows of 8-bit codes, a float32 scale and mean for 128 columns, multiplied as they are stored.

The mean is the offset of the codes, which lie around it. With s, o and t an activation's scale, zero correction and
exact sum for 32 columns, and z the dot product of their codes:

    y = sum over the blocks of scale / 127 * sum of (s z + o) + mean * sum of t
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourcc.kernels.descriptors import CODES, COLS, OUT, PARTS, ROWS, SCALES, SUMS, ZERO_CORRECTIONS
from fourcc.kernels.encoders.block_by_block import without_options
from fourcc.kernels.encoders.q8_a_q8_b import decode_rows, encode_rows
from fourcc.kernels.kernel import Careful, has_large_floats
from fourcc.kernels.products.crossover import BYTE_ROWS
from fourcc.kernels.products.integer_gemm import integer_kernel
from fourcc.kernels.products.panels import copy_codes, interleave_codes, panel_maker
from fourcc.kernels.products.prefetch import prefetch_ahead
from fourcc.kernels.products.row_gemv import repeated_gemv
from fourcc.kernels.simd.arithmetic import (
    multiply_add,
    no_floats,
    sum_floats,
)
from fourcc.kernels.simd.dot import BIAS, scaled_dot
from fourcc.kernels.simd.elementary import first_lanes
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float_everywhere, load_float_pair
from fourcc.kernels.simd.memory import load_bytes, load_float, load_floats, load_word, store_float
from fourcc.kernels.simd.partial import load_some_bytes, load_some_floats

BLOCK = 128
TOP = np.float32(127)
MEANS, CODES_PART = PARTS + 8, PARTS + 16


def _gemv(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product with one activation: codes 64 at a time, block after block, then zero corrections and means."""
    cols = load_word(weights + COLS)
    blocks, whole = (cols + (BLOCK - 1)) >> 7, cols >> 7
    codes, x_scales = load_word(job + CODES), load_word(job + SCALES)
    _write_sums_of_four(job, blocks, scratch)
    for row in range(first, last):
        p, scales = load_word(weights + CODES_PART) + row * cols, load_word(weights + PARTS) + 4 * row * blocks
        total = no_floats()
        for block in range(whole):
            q, x, at = p + BLOCK * block, codes + BLOCK * block, x_scales + 16 * block
            prefetch_ahead(q)
            prefetch_ahead(q + 64)
            inside = scaled_dot(no_floats(), load_bytes(q), load_bytes(x), load_float_pair(at))
            inside = scaled_dot(inside, load_bytes(q + 64), load_bytes(x + 64), load_float_pair(at + 8))
            total = multiply_add(inside, load_float_everywhere(scales + 4 * block), total)
        if whole < blocks:
            inside = no_floats()
            for col in range(BLOCK * whole, cols, 64):
                codes_here = load_some_bytes(p + col, min(64, cols - col))
                x_scale = load_float_pair(x_scales + (col >> 3))
                inside = scaled_dot(inside, codes_here, load_bytes(codes + col), x_scale)
            total = multiply_add(inside, load_float_everywhere(scales + 4 * whole), total)
        store_float(load_word(job + OUT) + 4 * row, sum_floats(total) / TOP + constants(weights, row, blocks, scratch))


def _write_sums_of_four(job: int, blocks: int, scratch: int) -> None:
    """Writes the zero corrections, and behind them the sums, for 128 columns each; zeros up to a whole vector."""
    for each in range(2):
        source, out = load_word(job + (SUMS if each else ZERO_CORRECTIONS)), scratch + each * sums_bytes(blocks)
        for block in range(sums_bytes(blocks) >> 2):
            store_float(out + 4 * block, sum_of_four(source + 16 * block) if block < blocks else np.float32(0))


def sums_bytes(blocks: int) -> int:
    """Bytes of one float for each block, up to a whole vector."""
    return (blocks + 15) >> 4 << 6


def sum_of_four(at: int) -> np.float32:
    """The sum of four floats."""
    total: np.float32 = (load_float(at) + load_float(at + 4)) + (load_float(at + 8) + load_float(at + 12))
    return total


def constants(weights: int, row: int, blocks: int, sums: int) -> np.float32:
    """The products of a row's scales with zero corrections, and of its means with sums.

    A stored scale is 127 times that of its codes.
    """
    size, at = 4 * blocks, 4 * row * blocks
    scales, means = load_word(weights + PARTS), load_word(weights + MEANS)
    rows = load_word(weights + ROWS)
    corrected, added = no_floats(), no_floats()
    for block in range(0, size, 64):
        left = (size - block) >> 2
        scale = floats_within(scales + at + block, left, scales + rows * size)
        mean = floats_within(means + at + block, left, means + rows * size)
        corrected = multiply_add(scale, load_floats(sums + block), corrected)
        added = multiply_add(mean, load_floats(sums + sums_bytes(blocks) + block), added)
    both: np.float32 = sum_floats(corrected) / TOP + sum_floats(added)
    return both


def floats_within(p: int, count: int, end: int) -> Lanes:
    """Up to 16 floats, and zeros behind them.

    Where the part goes on for 16 floats from p, all are read, and those behind the row cleared.
    """
    if p + 64 <= end:
        floats: Lanes = first_lanes(load_floats(p), count, np.float32(0))
    else:
        floats = load_some_floats(p, min(16, count))
    return floats


def _write_codes(weights: int, row: int, out: int) -> None:
    cols = load_word(weights + COLS)
    copy_codes(load_word(weights + CODES_PART) + row * cols, cols, out)


def _write_scales(weights: int, row: int, scales: int, offsets: int) -> None:
    blocks = (load_word(weights + COLS) + (BLOCK - 1)) >> 7
    for block in range(blocks):
        at = 4 * (row * blocks + block)
        scale, mean = load_float(load_word(weights + PARTS) + at) / TOP, load_float(load_word(weights + MEANS) + at)
        for each in range(16 * block, 16 * block + 16, 4):
            store_float(scales + each, scale)
            store_float(offsets + each, mean)


def _interleave_stored(weights: int, row: int, out: int) -> None:
    cols = load_word(weights + COLS)
    interleave_codes(load_word(weights + CODES_PART) + row * cols, cols, cols, out)


_PRODUCTS = integer_kernel(
    repeated_gemv(_gemv),
    BYTE_ROWS,
    panel_maker(_write_codes, _write_scales, _interleave_stored, affine=True),
    decode_rows,
    zero=BIAS,
    affine=True,
    parts=("scales", "means", "q"),
)
KERNEL = replace(
    _PRODUCTS,
    decode=_PRODUCTS.gather,
    careful=Careful(has_large_floats, _PRODUCTS.exact),
    encoder=without_options(encode_rows),
)
