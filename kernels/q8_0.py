"""Q8_0: blocks of 32 codes of 8 bits behind a float16 scale, as they are stored."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.integers import integers
from fourcc.kernels.operands import CODES, COLS, OFFSETS, OUT, PARTS, STEPS
from fourcc.kernels.product import transposed
from fourcc.kernels.simd.arithmetic import (
    add,
    floats_from_ints,
    floats_of,
    multiply,
    multiply_add,
    no_floats,
    no_ints,
    sum_floats,
)
from fourcc.kernels.simd.bytes import load_as_floats
from fourcc.kernels.simd.dot import BIAS, biased, dot
from fourcc.kernels.simd.memory import (
    load_byte_halves,
    load_bytes,
    load_word,
    prefetch,
    store,
    store_float,
)
from fourcc.kernels.simd.partial import load_some_bytes, store_half_bytes
from fourcc.kernels.simd.widening import load_float16, load_float16_pair, load_float_pair, load_one_of_pair

SIZE = 34  # bytes of a block
AHEAD = 1024
EIGHTH = np.float32(0.125)


def _one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Two blocks are one vector of codes; the offset of a block is spread over its 8 lanes."""
    blocks = load_word(weights + COLS) >> 5
    codes, steps, offsets = load_word(job + CODES), load_word(job + STEPS), load_word(job + OFFSETS)
    out = load_word(job + OUT)
    for row in range(first, last):
        p = load_word(weights + PARTS) + row * blocks * SIZE
        total, taken = no_floats(), no_floats()
        for pair in range(blocks >> 1):
            prefetch(p + AHEAD)
            d = load_float16_pair(p, p + SIZE)
            z = dot(no_ints(), biased(load_byte_halves(p + 2, p + SIZE + 2)), load_bytes(codes + 64 * pair))
            total = multiply_add(floats_from_ints(z), multiply(d, load_float_pair(steps + 8 * pair)), total)
            if BIAS:
                taken = multiply_add(d, load_float_pair(offsets + 8 * pair), taken)
            p += 2 * SIZE
        if blocks & 1:
            at = 32 * blocks - 32
            d = floats_of(load_float16(p))
            z = dot(no_ints(), biased(load_some_bytes(p + 2, 32)), load_bytes(codes + at))
            total = multiply_add(floats_from_ints(z), multiply(d, load_one_of_pair(steps + (at >> 3))), total)
            if BIAS:
                taken = multiply_add(d, load_one_of_pair(offsets + (at >> 3)), taken)
        store_float(out + 4 * row, sum_floats(multiply_add(taken, floats_of(EIGHTH), total)))


def _unpack(weights: int, row: int, codes: int, scales: int, means: int) -> None:  # noqa: ARG001
    blocks = load_word(weights + COLS) >> 5
    p = load_word(weights + PARTS) + row * blocks * SIZE
    for block in range(blocks):
        store_half_bytes(codes + 32 * block, biased(load_some_bytes(p + 2, 32)))
        store_float(scales + 4 * block, load_float16(p))
        p += SIZE


def _decode(weights: int, row: int, out: int) -> None:
    blocks = load_word(weights + COLS) >> 5
    p = load_word(weights + PARTS) + row * blocks * SIZE
    for block in range(blocks):
        d = floats_of(load_float16(p))
        store(out + 128 * block, multiply(d, load_as_floats(p + 2)))
        store(out + 128 * block + 64, multiply(d, load_as_floats(p + 18)))
        p += SIZE


KERNEL = integers(_one, transposed(_unpack), _decode, zero=BIAS, parts=("blocks",))
_ = add
