"""Q8_B: rows of 8-bit codes, a float32 scale and mean for each 128 columns, as they are stored.

With s, o and t an activation's scale, offset and sum for 32 columns, and z the dot product of their codes:

    y = sum over the blocks of scale / 127 * sum of (s z + o) + mean * sum of t
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.integers import integers
from fourcc.kernels.operands import CODES, COLS, OFFSETS, OUT, PARTS, STEPS, SUMS
from fourcc.kernels.product import transposed
from fourcc.kernels.simd.arithmetic import (
    floats_from_ints,
    floats_of,
    multiply,
    multiply_add,
    no_floats,
    no_ints,
    sum_floats,
)
from fourcc.kernels.simd.bytes import load_as_floats, load_some_as_floats
from fourcc.kernels.simd.dot import BIAS, biased, dot
from fourcc.kernels.simd.memory import load_bytes, load_float, load_floats, load_word, prefetch, store, store_float
from fourcc.kernels.simd.partial import load_some_bytes, store_some_floats
from fourcc.kernels.simd.widening import load_float_everywhere, load_float_pair, load_some_float_quads

BLOCK = 128
TOP = np.float32(127)
MEANS, CODES_PART = PARTS + 8, PARTS + 16
AHEAD = 2048


def _one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Codes in vectors of 64; what offsets and sums add comes last, four blocks at a time."""
    cols = load_word(weights + COLS)
    blocks = (cols + (BLOCK - 1)) >> 7
    codes, steps, out = load_word(job + CODES), load_word(job + STEPS), load_word(job + OUT)
    for row in range(first, last):
        p = load_word(weights + CODES_PART) + row * cols
        scales = load_word(weights + PARTS) + 4 * row * blocks
        total = no_floats()
        whole = cols >> 7
        for block in range(whole):
            prefetch(p + AHEAD + BLOCK * block)
            prefetch(p + AHEAD + BLOCK * block + 64)
            at = BLOCK * block
            low = dot(no_ints(), biased(load_bytes(p + at)), load_bytes(codes + at))
            high = dot(no_ints(), biased(load_bytes(p + at + 64)), load_bytes(codes + at + 64))
            inside = multiply(floats_from_ints(low), load_float_pair(steps + (at >> 3)))
            inside = multiply_add(floats_from_ints(high), load_float_pair(steps + (at >> 3) + 8), inside)
            total = multiply_add(inside, load_float_everywhere(scales + 4 * block), total)
        for at in range(whole << 7, cols, 64):
            z = dot(no_ints(), biased(load_some_bytes(p + at, min(64, cols - at))), load_bytes(codes + at))
            inside = multiply(floats_from_ints(z), load_float_pair(steps + (at >> 3)))
            total = multiply_add(inside, load_float_everywhere(scales + 4 * whole), total)
        means = load_word(weights + MEANS) + 4 * row * blocks
        store_float(out + 4 * row, sum_floats(total) / TOP + _constants(scales, means, blocks, job))


def _constants(scales: int, means: int, blocks: int, job: int) -> np.float32:
    """What a row's scales take from the offsets, and its means from the sums."""
    offsets, sums = load_word(job + OFFSETS), load_word(job + SUMS)
    taken, added = no_floats(), no_floats()
    for block in range(0, blocks, 4):
        count = min(4, blocks - block)
        if BIAS:
            taken = multiply_add(load_some_float_quads(scales + 4 * block, count), load_floats(offsets + 16 * block), taken)
        added = multiply_add(load_some_float_quads(means + 4 * block, count), load_floats(sums + 16 * block), added)
    return sum_floats(taken) / TOP + sum_floats(added)


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


def _decode(weights: int, row: int, out: int) -> None:
    cols = load_word(weights + COLS)
    blocks = (cols + (BLOCK - 1)) >> 7
    p = load_word(weights + CODES_PART) + row * cols
    for block in range(blocks):
        at = 4 * (row * blocks + block)
        scale = floats_of(load_float(load_word(weights + PARTS) + at) / TOP)
        mean = floats_of(load_float(load_word(weights + MEANS) + at))
        end = min(cols, BLOCK * block + BLOCK)
        for col in range(BLOCK * block, end - 15, 16):
            store(out + 4 * col, multiply_add(scale, load_as_floats(p + col), mean))
        rest = end & 15
        if rest:
            col = end - rest
            made = multiply_add(scale, load_some_as_floats(p + col, rest), mean)
            store_some_floats(out + 4 * col, made, rest)


KERNEL = integers(_one, transposed(_unpack), _decode, zero=BIAS, affine=True, parts=("scales", "means", "q"))
