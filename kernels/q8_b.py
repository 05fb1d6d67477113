"""Q8_B: rows of 8-bit codes, a float32 scale and mean for each 128 columns, as they are stored.

With s, o and t an activation's scale, offset and sum for 32 columns, and z the dot product of their codes:

    y = sum over the blocks of scale / 127 * sum of (s z + o) + mean * sum of t
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fourcc.kernels.encoders import always
from fourcc.kernels.integers import integers
from fourcc.kernels.operands import CODES, COLS, OFFSETS, OUT, PARTS, STEPS, SUMS
from fourcc.kernels.product import transposed
from fourcc.kernels.qmatrix import decode_rows, encode_rows
from fourcc.kernels.rows import by_eights
from fourcc.kernels.simd.arithmetic import (
    multiply_add,
    no_floats,
    sum_floats,
)
from fourcc.kernels.simd.dot import BIAS, biased
from fourcc.kernels.simd.memory import load_bytes, load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.rows import dot_rows, scale_rows, store_sums
from fourcc.kernels.simd.tiles import no_float_columns
from fourcc.kernels.simd.widening import load_float_pair, load_float_quads, load_some_float_quads

BLOCK = 128
TOP = np.float32(127)
MEANS, CODES_PART = PARTS + 8, PARTS + 16
Function = Callable[..., Any]


def _some_rows(count: int) -> Function:
    """The product of `count` rows with one activation: codes in vectors of 64, then what offsets and means add."""
    zeros = no_float_columns[count]

    def some(weights: int, job: int, row: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        blocks, whole = (cols + (BLOCK - 1)) >> 7, cols >> 6 << 6
        p, codes, steps = load_word(weights + CODES_PART) + row * cols, load_word(job + CODES), load_word(job + STEPS)
        scales = load_word(weights + PARTS) + 4 * row * blocks
        totals = zeros()
        for block in range(blocks):
            inside = zeros()
            for at in range(BLOCK * block, min(whole, BLOCK * block + BLOCK), 64):
                inside = dot_rows(inside, p + at, cols, load_bytes(codes + at), load_float_pair(steps + (at >> 3)))
            if whole < min(cols, BLOCK * block + BLOCK):
                for each in range(count):
                    store(scratch + 64 * each, load_some_bytes(p + each * cols + whole, cols - whole))
                x = load_bytes(codes + whole)
                inside = dot_rows(inside, scratch, 64, x, load_float_pair(steps + (whole >> 3)))
            totals = scale_rows(totals, inside, scales + 4 * block, 4 * blocks)
        out = load_word(job + OUT) + 4 * row
        store_sums(out, totals)
        for each in range(count):
            at = 4 * (row + each) * blocks
            added = constants(load_word(weights + PARTS) + at, load_word(weights + MEANS) + at, blocks, job)
            store_float(out + 4 * each, load_float(out + 4 * each) / TOP + added)

    return some


def constants(scales: int, means: int, blocks: int, job: int) -> np.float32:
    """What a row's scales take from the offsets, and its means from the sums; scales are 127 times a code's worth."""
    offsets, sums = load_word(job + OFFSETS), load_word(job + SUMS)
    taken, added = no_floats(), no_floats()
    for block in range(0, blocks, 4):
        count, at = blocks - block, 4 * block
        scale = load_float_quads(scales + at) if count >= 4 else load_some_float_quads(scales + at, count)
        mean = load_float_quads(means + at) if count >= 4 else load_some_float_quads(means + at, count)
        taken = multiply_add(scale, load_floats(offsets + 4 * at), taken)
        added = multiply_add(mean, load_floats(sums + 4 * at), added)
    both: np.float32 = sum_floats(taken) / TOP + sum_floats(added)
    return both


def _unpack(weights: int, row: int, codes: int, scales: int, means: int) -> None:
    cols = load_word(weights + COLS)
    blocks = (cols + (BLOCK - 1)) >> 7
    p = load_word(weights + CODES_PART) + row * cols
    at = row * blocks * 4
    for col in range(0, cols, 64):
        store(codes + col, biased(load_some_bytes(p + col, min(64, cols - col))))
    for block in range((cols + 31) >> 5):
        store_float(scales + 4 * block, load_float(load_word(weights + PARTS) + at + (block >> 2 << 2)) / TOP)
        store_float(means + 4 * block, load_float(load_word(weights + MEANS) + at + (block >> 2 << 2)))


_PRODUCTS = integers(
    by_eights(_some_rows(8), _some_rows(1)),
    transposed(_unpack),
    decode_rows,
    zero=BIAS,
    affine=True,
    parts=("scales", "means", "q"),
)
KERNEL = replace(_PRODUCTS, decode=_PRODUCTS.gather, encoder=always(encode_rows))
