"""Q8_0: blocks of 32 codes of 8 bits behind a float16 scale, as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fourcc.kernels.encoders import always
from fourcc.kernels.ggml import encode_eight_bits
from fourcc.kernels.integers import integers
from fourcc.kernels.operands import CODES, COLS, OFFSETS, OUT, PARTS, STEPS
from fourcc.kernels.product import transposed
from fourcc.kernels.rows import by_eights
from fourcc.kernels.simd.arithmetic import (
    floats_of,
    multiply,
    multiply_add,
    no_floats,
    sum_floats,
)
from fourcc.kernels.simd.bytes import load_as_floats
from fourcc.kernels.simd.dot import BIAS, biased
from fourcc.kernels.simd.memory import (
    load_bytes,
    load_float,
    load_floats,
    load_word,
    store,
    store_float,
)
from fourcc.kernels.simd.partial import load_some_bytes, store_half_bytes
from fourcc.kernels.simd.rows import dot_half_rows, store_sums
from fourcc.kernels.simd.tiles import no_float_columns
from fourcc.kernels.simd.widening import load_float16, load_float16_column

SIZE = 34  # bytes of a block
GROUP = 16  # blocks whose scales are brought into one vector
Function = Callable[..., Any]


def _some_rows(count: int) -> Function:
    """The product of `count` rows with one activation; two blocks are one vector of codes."""
    zeros = no_float_columns[count]

    def some(weights: int, job: int, row: int, scratch: int) -> None:
        blocks = load_word(weights + COLS) >> 5
        step = blocks * SIZE
        p, codes = load_word(weights + PARTS) + row * step, load_word(job + CODES)
        totals, taken = zeros(), scratch + 64 * count
        for each in range(count):
            store(taken + 64 * each, no_floats())
        for group in range(0, blocks, GROUP):
            here = min(GROUP, blocks - group)
            scale_groups(p + SIZE * group, step, here, job, group, scratch, count)
            for pair in range(here >> 1):
                at = p + SIZE * (group + 2 * pair)
                x = load_bytes(codes + 32 * (group + 2 * pair))
                totals = dot_half_rows(totals, at + 2, at + SIZE + 2, step, x, scratch + 8 * pair)
            if here & 1:  # the block is taken twice, the second time with scale 0
                at = p + SIZE * (blocks - 1) + 2
                x = load_bytes(codes + 32 * (blocks - 1))
                totals = dot_half_rows(totals, at, at, step, x, scratch + 4 * (here - 1))
        out = load_word(job + OUT) + 4 * row
        store_sums(out, totals)
        for each in range(count):
            store_float(out + 4 * each, load_float(out + 4 * each) + sum_floats(load_floats(taken + 64 * each)))

    return some


def scale_groups(p: int, step: int, here: int, job: int, group: int, scratch: int, rows: int) -> None:
    """For up to 16 blocks of each row: scales times the activation's at `scratch`; what offsets take, behind them.

    Args:
        p: address of the first row's first block.
        step: bytes from row to row.
        here: blocks; scales of those that are missing are 0.
        job: the activation's.
        group: number of the first block.
        scratch: room for twice 16 floats a row.
        rows: how many.
    """
    steps = load_floats(load_word(job + STEPS) + 4 * group)
    offsets = load_floats(load_word(job + OFFSETS) + 4 * group)
    for row in range(rows):
        at = scratch + 64 * row
        if here == GROUP:
            d = load_float16_column(p + row * step, SIZE)
        else:
            store(at, no_floats())
            for block in range(here):
                store_float(at + 4 * block, load_float16(p + row * step + SIZE * block))
            d = load_floats(at)
        store(at, multiply(d, steps))
        taken = scratch + 64 * (rows + row)
        store(taken, multiply_add(d, offsets, load_floats(taken)))


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


_PRODUCTS = integers(
    by_eights(_some_rows(8), _some_rows(1)), transposed(_unpack), _decode, zero=BIAS, parts=("blocks",)
)
KERNEL = replace(_PRODUCTS, decode=_PRODUCTS.gather, encoder=always(encode_eight_bits))
