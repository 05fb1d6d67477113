"""Q8_B: rows of 8-bit codes, a float32 scale and mean for each 128 columns, as they are stored.

With s, o and t an activation's scale, offset and sum for 32 columns, and z the dot product of their codes:

    y = sum over the blocks of scale / 127 * sum of (s z + o) + mean * sum of t
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourcc.kernels.encoders import always
from fourcc.kernels.integers import integers
from fourcc.kernels.operands import CODES, COLS, OFFSETS, OUT, PARTS, STEPS, SUMS
from fourcc.kernels.product import transposed
from fourcc.kernels.qmatrix import decode_rows, encode_rows
from fourcc.kernels.simd.arithmetic import (
    multiply_add,
    no_floats,
    sum_floats,
)
from fourcc.kernels.simd.dot import BIAS, biased, scaled_dot
from fourcc.kernels.simd.memory import load_bytes, load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.widening import load_float_everywhere, load_float_pair, load_float_quads

BLOCK = 128
TOP = np.float32(127)
MEANS, CODES_PART = PARTS + 8, PARTS + 16


def _one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Codes in vectors of 64, block after block; then what offsets and means add."""
    cols = load_word(weights + COLS)
    blocks, whole = (cols + (BLOCK - 1)) >> 7, cols >> 6 << 6
    codes, steps = load_word(job + CODES), load_word(job + STEPS)
    for row in range(first, last):
        p, at = load_word(weights + CODES_PART) + row * cols, 4 * row * blocks
        scales, means = load_word(weights + PARTS) + at, load_word(weights + MEANS) + at
        total = no_floats()
        for block in range(blocks):
            inside, end = no_floats(), min(whole, BLOCK * block + BLOCK)
            for col in range(BLOCK * block, end, 64):
                scale = load_float_pair(steps + (col >> 3))
                inside = scaled_dot(inside, load_bytes(p + col), load_bytes(codes + col), scale)
            if end < min(cols, BLOCK * block + BLOCK):
                scale = load_float_pair(steps + (whole >> 3))
                inside = scaled_dot(inside, load_some_bytes(p + whole, cols - whole), load_bytes(codes + whole), scale)
            total = multiply_add(inside, load_float_everywhere(scales + 4 * block), total)
        store_float(load_word(job + OUT) + 4 * row, sum_floats(total) / TOP + constants(scales, means, blocks, job))


def constants(scales: int, means: int, blocks: int, job: int) -> np.float32:
    """What a row's scales take from the offsets, and its means from the sums; scales are 127 times a code's worth."""
    offsets, sums = load_word(job + OFFSETS), load_word(job + SUMS)
    taken, added = no_floats(), no_floats()
    whole = blocks >> 2 << 2
    for at in range(0, 4 * whole, 16):  # four blocks: sixteen offsets
        taken = multiply_add(load_float_quads(scales + at), load_floats(offsets + 4 * at), taken)
        added = multiply_add(load_float_quads(means + at), load_floats(sums + 4 * at), added)
    last_taken, last_added = sum_floats(taken), sum_floats(added)
    for at in range(4 * whole, 4 * blocks, 4):
        last_taken += load_float(scales + at) * sum_of_four(offsets + 4 * at)
        last_added += load_float(means + at) * sum_of_four(sums + 4 * at)
    both: np.float32 = last_taken / TOP + last_added
    return both


def sum_of_four(at: int) -> np.float32:
    """Sum of four floats."""
    made: np.float32 = (load_float(at) + load_float(at + 4)) + (load_float(at + 8) + load_float(at + 12))
    return made


def _unpack(weights: int, row: int, codes: int, scales: int, means: int) -> None:
    cols = load_word(weights + COLS)
    blocks = (cols + (BLOCK - 1)) >> 7
    p = load_word(weights + CODES_PART) + row * cols
    at = row * blocks * 4
    for col in range(0, cols, 64):
        store(codes + col, biased(load_bytes(p + col) if cols - col >= 64 else load_some_bytes(p + col, cols - col)))
    for block in range((cols + 31) >> 5):
        store_float(scales + 4 * block, load_float(load_word(weights + PARTS) + at + (block >> 2 << 2)) / TOP)
        store_float(means + 4 * block, load_float(load_word(weights + MEANS) + at + (block >> 2 << 2)))


_PRODUCTS = integers(
    _one,
    transposed(_unpack),
    decode_rows,
    zero=BIAS,
    affine=True,
    parts=("scales", "means", "q"),
)
KERNEL = replace(_PRODUCTS, decode=_PRODUCTS.gather, encoder=always(encode_rows))
