"""Q8_0: blocks of 32 codes of 8 bits behind a float16 scale, multiplied as they are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourcc.kernels.descriptors import CODES, COLS, OUT, PARTS, ROWS, SCALES, ZERO_CORRECTIONS
from fourcc.kernels.encoders.q4_0_q8_0 import encode_eight_bits
from fourcc.kernels.products.crossover import BYTE_ROWS
from fourcc.kernels.products.integer_gemm import integer_kernel
from fourcc.kernels.products.panels import panel_maker, prefetch_next_rows
from fourcc.kernels.products.prefetch import prefetch_ahead
from fourcc.kernels.products.row_gemv import repeated_gemv
from fourcc.kernels.simd.arithmetic import (
    add,
    floats_of,
    multiply,
    multiply_add,
    no_floats,
    sum_floats,
)
from fourcc.kernels.simd.dot import BIAS, biased, float_pair, scaled_dot
from fourcc.kernels.simd.elementary import first_lanes
from fourcc.kernels.simd.int8 import load_as_floats
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import (
    load_float16,
    load_float16_column,
)
from fourcc.kernels.simd.memory import (
    load_byte_halves,
    load_bytes,
    load_floats,
    load_word,
    store,
    store_float,
)
from fourcc.kernels.simd.partial import load_some_bytes, store_half_bytes
from fourcc.kernels.simd.transpose import transpose_codes

SIZE = 34  # bytes of a block
GROUP = 16  # blocks whose scales are brought into one vector


def _gemv(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product with one activation, sixteen blocks at a time.

    Their scales are one vector, the codes of two blocks another.
    """
    blocks, base = load_word(weights + COLS) >> 5, load_word(weights + PARTS)
    codes, x_scales, corrections = load_word(job + CODES), load_word(job + SCALES), load_word(job + ZERO_CORRECTIONS)
    whole, end = blocks // GROUP * GROUP, base + load_word(weights + ROWS) * blocks * SIZE
    for row in range(first, last):
        p = base + row * blocks * SIZE
        total, corrected = no_floats(), no_floats()
        for group in range(0, whole, GROUP):
            d = load_float16_column(p, SIZE)
            scales = multiply(d, load_floats(x_scales + 4 * group))
            corrected = multiply_add(d, load_floats(corrections + 4 * group), corrected)
            for pair in range(GROUP // 2):
                at, x = p + 2 * SIZE * pair + 2, load_bytes(codes + 32 * group + 64 * pair)
                prefetch_ahead(at)
                total = scaled_dot(total, load_byte_halves(at, at + SIZE), x, float_pair(scales, pair))
            p += GROUP * SIZE
        if whole < blocks:
            d = last_scales(p, blocks - whole, end, scratch)
            scales = multiply(d, load_floats(x_scales + 4 * whole))
            corrected = multiply_add(d, load_floats(corrections + 4 * whole), corrected)
            x = codes + 32 * whole
            for pair in range((blocks - whole) >> 1):
                at = p + 2 * SIZE * pair + 2
                both = load_byte_halves(at, at + SIZE)
                total = scaled_dot(total, both, load_bytes(x + 64 * pair), float_pair(scales, pair))
            if blocks & 1:  # zeros take the place of a second block
                pair, at = (blocks - whole) >> 1, p + (blocks - whole - 1) * SIZE + 2
                both = load_some_bytes(at, 32)
                total = scaled_dot(total, both, load_bytes(x + 64 * pair), float_pair(scales, pair))
        store_float(load_word(job + OUT) + 4 * row, sum_floats(add(total, corrected)))


def last_scales(p: int, count: int, end: int, scratch: int) -> Lanes:
    """The scales of a row's last `count` blocks, fewer than 16, and zeros behind them.

    Where the matrix goes on for 16 blocks from p, all are read, and those of the next row cleared.
    """
    if p + GROUP * SIZE <= end:
        d: Lanes = first_lanes(load_float16_column(p, SIZE), count, np.float32(0))
    else:
        store(scratch, no_floats())
        for block in range(count):
            store_float(scratch + 4 * block, load_float16(p + SIZE * block))
        d = load_floats(scratch)
    return d


def _write_codes(weights: int, row: int, out: int) -> None:
    blocks = load_word(weights + COLS) >> 5
    p = load_word(weights + PARTS) + row * blocks * SIZE
    for block in range(blocks):
        store_half_bytes(out + 32 * block, biased(load_some_bytes(p + SIZE * block + 2, 32)))


def _write_scales(weights: int, row: int, scales: int, offsets: int) -> None:
    blocks, base = load_word(weights + COLS) >> 5, load_word(weights + PARTS)
    p, end = base + row * blocks * SIZE, base + load_word(weights + ROWS) * blocks * SIZE
    whole = blocks // GROUP * GROUP
    for group in range(0, whole, GROUP):
        store(scales + 4 * group, load_float16_column(p + group * SIZE, SIZE))
    if whole < blocks:
        store(scales + 4 * whole, last_scales(p + whole * SIZE, blocks - whole, end, scales + 4 * whole))


def _interleave_stored(weights: int, row: int, out: int) -> None:
    stride = (load_word(weights + COLS) >> 5) * SIZE
    p = load_word(weights + PARTS) + row * stride + 2
    for block in range(load_word(weights + COLS) >> 5):
        prefetch_next_rows(p, stride)
        transpose_codes(p, stride, out + 512 * block)
        transpose_codes(p + 16, stride, out + 512 * block + 256)
        p += SIZE


def _decode(weights: int, row: int, out: int) -> None:
    blocks = load_word(weights + COLS) >> 5
    p = load_word(weights + PARTS) + row * blocks * SIZE
    for block in range(blocks):
        d = floats_of(load_float16(p))
        store(out + 128 * block, multiply(d, load_as_floats(p + 2)))
        store(out + 128 * block + 64, multiply(d, load_as_floats(p + 18)))
        p += SIZE


_PRODUCTS = integer_kernel(
    repeated_gemv(_gemv),
    BYTE_ROWS,
    panel_maker(_write_codes, _write_scales, _interleave_stored),
    _decode,
    zero=BIAS,
    parts=("blocks",),
)
KERNEL = replace(_PRODUCTS, decode=_PRODUCTS.gather, encoder=encode_eight_bits)
