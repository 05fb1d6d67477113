"""Q8_B: rows of 8-bit codes, a float32 scale and mean for each 128 columns, as they are stored.

With s, o and t an activation's scale, offset and exact sum for 32 columns, and z the dot product of their codes:

    y = sum over the blocks of scale / 127 * sum of (s z + o) + mean * sum of t
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourcc.kernels.descriptors import CODES, COLS, OUT, PARTS, ROWS, SCALES, SUMS, ZERO_CORRECTIONS
from fourcc.kernels.encoders.block_by_block import always
from fourcc.kernels.encoders.q8_a_q8_b import decode_rows, encode_rows
from fourcc.kernels.kernel import Careful, has_large_floats
from fourcc.kernels.products.integer_gemm import integers
from fourcc.kernels.products.panels import copy_codes, interleave_codes, transposed
from fourcc.kernels.products.prefetch import ask_ahead
from fourcc.kernels.products.row_gemv import FEW, one_by_one
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


def _one(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Codes in vectors of 64, block after block; then what offsets and means add."""
    cols = load_word(weights + COLS)
    blocks, whole = (cols + (BLOCK - 1)) >> 7, cols >> 7
    codes, steps = load_word(job + CODES), load_word(job + SCALES)
    _gather_fours(job, blocks, scratch)
    for row in range(first, last):
        p, scales = load_word(weights + CODES_PART) + row * cols, load_word(weights + PARTS) + 4 * row * blocks
        total = no_floats()
        for block in range(whole):
            q, x, step = p + BLOCK * block, codes + BLOCK * block, steps + 16 * block
            ask_ahead(q)
            ask_ahead(q + 64)
            inside = scaled_dot(no_floats(), load_bytes(q), load_bytes(x), load_float_pair(step))
            inside = scaled_dot(inside, load_bytes(q + 64), load_bytes(x + 64), load_float_pair(step + 8))
            total = multiply_add(inside, load_float_everywhere(scales + 4 * block), total)
        if whole < blocks:
            inside = no_floats()
            for col in range(BLOCK * whole, cols, 64):
                codes_here = load_some_bytes(p + col, min(64, cols - col))
                inside = scaled_dot(inside, codes_here, load_bytes(codes + col), load_float_pair(steps + (col >> 3)))
            total = multiply_add(inside, load_float_everywhere(scales + 4 * whole), total)
        store_float(load_word(job + OUT) + 4 * row, sum_floats(total) / TOP + constants(weights, row, blocks, scratch))


def _gather_fours(job: int, blocks: int, scratch: int) -> None:
    """Of offsets, and behind them of sums, one for each 128 columns, at `scratch`; zeros up to a whole vector."""
    for each in range(2):
        source, out = load_word(job + (SUMS if each else ZERO_CORRECTIONS)), scratch + each * fours_bytes(blocks)
        for block in range(fours_bytes(blocks) >> 2):
            store_float(out + 4 * block, sum_of_four(source + 16 * block) if block < blocks else np.float32(0))


def fours_bytes(blocks: int) -> int:
    """Bytes of a float a block, up to a whole vector."""
    return (blocks + 15) >> 4 << 6


def sum_of_four(at: int) -> np.float32:
    """Sum of four floats."""
    made: np.float32 = (load_float(at) + load_float(at + 4)) + (load_float(at + 8) + load_float(at + 12))
    return made


def constants(weights: int, row: int, blocks: int, fours: int) -> np.float32:
    """What a row's scales take from the offsets, and its means from the sums; scales are 127 times a code's worth."""
    size, at = 4 * blocks, 4 * row * blocks
    scales, means = load_word(weights + PARTS), load_word(weights + MEANS)
    rows = load_word(weights + ROWS)
    taken, added = no_floats(), no_floats()
    for block in range(0, size, 64):
        left = (size - block) >> 2
        scale = floats_within(scales + at + block, left, scales + rows * size)
        mean = floats_within(means + at + block, left, means + rows * size)
        taken = multiply_add(scale, load_floats(fours + block), taken)
        added = multiply_add(mean, load_floats(fours + fours_bytes(blocks) + block), added)
    both: np.float32 = sum_floats(taken) / TOP + sum_floats(added)
    return both


def floats_within(p: int, count: int, end: int) -> Lanes:
    """Up to 16 floats, zeros behind them; what follows is read where it is before the part's end."""
    if p + 64 <= end:
        found: Lanes = first_lanes(load_floats(p), count, np.float32(0))
    else:
        found = load_some_floats(p, min(16, count))
    return found


def _codes(weights: int, row: int, out: int) -> None:
    cols = load_word(weights + COLS)
    copy_codes(load_word(weights + CODES_PART) + row * cols, cols, out)


def _numbers(weights: int, row: int, scales: int, means: int) -> None:
    blocks = (load_word(weights + COLS) + (BLOCK - 1)) >> 7
    for block in range(blocks):
        at = 4 * (row * blocks + block)
        scale, mean = load_float(load_word(weights + PARTS) + at) / TOP, load_float(load_word(weights + MEANS) + at)
        for each in range(16 * block, 16 * block + 16, 4):
            store_float(scales + each, scale)
            store_float(means + each, mean)


def _straight(weights: int, row: int, out: int) -> None:
    cols = load_word(weights + COLS)
    interleave_codes(load_word(weights + CODES_PART) + row * cols, cols, cols, out)


_PRODUCTS = integers(
    one_by_one(_one),
    FEW,
    transposed(_codes, _numbers, _straight, affine=True),
    decode_rows,
    zero=BIAS,
    around_means=True,
    parts=("scales", "means", "q"),
)
KERNEL = replace(
    _PRODUCTS,
    decode=_PRODUCTS.gather,
    careful=Careful(has_large_floats, _PRODUCTS.exact),
    encoder=always(encode_rows),
)
