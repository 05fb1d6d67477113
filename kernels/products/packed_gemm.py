"""Products of ggml's blocks, from the packed layout of `fourcc.kernels.products.packed_layout`.

All that a format says is what its block is, what its scales are, and how its codes come, four of each row after four.
They are multiplied at once in a product with a few activations, stored in a panel (`fourcc.kernels.products.panels`)
for several. Memory is read at its speed where it is read in order, so words lie in the order in which they are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import CODES, CODES_STRIDE, COLS, OUT, OUT_STRIDE, PARTS, X, round_up
from fourcc.kernels.kernel import Kernel
from fourcc.kernels.products import integer_gemm, scales_per_16
from fourcc.kernels.products.packed_layout import Block, group_packer, packer
from fourcc.kernels.products.panel_gemm import (
    MOST,
    float_panels,
    float_scratch,
    integer_product,
    integer_scratch,
    products_of_groups,
    store_rows,
)
from fourcc.kernels.products.panels import ROWS, means_of, scales_of
from fourcc.kernels.products.prefetch import ahead_of
from fourcc.kernels.products.row_gemv import up_to
from fourcc.kernels.simd.arithmetic import (
    add,
    floats_from_ints,
    ints_of,
    multiply,
    shifted_right,
    subtract,
)
from fourcc.kernels.simd.dot import BIAS
from fourcc.kernels.simd.int32 import bytes_of_ints
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import (
    load_float,
    load_floats,
    load_ints,
    load_word,
    prefetch,
    store,
    store_float,
)
from fourcc.kernels.simd.select import both
from fourcc.kernels.simd.tiles import dot_columns, multiply_add_columns, no_float_columns, no_int_columns, scale_columns
from fourcc.kernels.simd.transpose import transpose

Function = Callable[..., Any]
_nothing, _no_dots = no_float_columns[1], no_int_columns[1]


# -- a few activations


def _columns(block: Block, columns: int) -> Function:
    """The product of sixteen rows with some activations at once, as `products_of_groups` wants it."""
    width, packed, write_numbers, affine = block.width, block.packed, block.numbers, block.affine
    bits, numbers, means_at = block.reach.bits, block.reach.numbers, block.scales
    nothing, ahead = no_float_columns[columns], ahead_of(columns) if columns == 1 or block.ahead else 0

    def finish(total: Lanes, dots: Lanes, index: int, where: tuple[int, int, int, int, int]) -> Lanes:
        scales, steps, offsets, sums, step = where
        at, vector = 4 * index, 64 * index
        total = scale_columns(total, dots, load_floats(scales + vector), steps + at, offsets + at, step)
        if affine:
            total = multiply_add_columns(total, load_floats(scales + means_at + vector), sums + at, step)
        return total

    def multiplied(dots: Lanes, codes: Lanes, place: tuple[int, int, int], column: int) -> Lanes:
        x, x_step, p = place
        if ahead:
            prefetch(p + ahead + column * packed // width)
        made: Lanes = dot_columns(dots, bytes_of_ints(codes), x + column, x_step)
        return made

    multiply = block.codes(multiplied, finish, no_int_columns[columns])

    def product(group: tuple[int, int], cols: int, job: int, column: int, rows: int, row: int) -> None:
        p, scratch = group
        x_step = load_word(job + CODES_STRIDE)
        x = load_word(job + CODES) + column * x_step
        steps, offsets, sums, step = numbers(job, column, round_up(cols))
        total = nothing()
        for begin in range(0, cols, width):
            at = begin >> bits << 2
            write_numbers(p, scratch, scratch + means_at)
            total = multiply(p, (x + begin, x_step, p), total, (scratch, steps + at, offsets + at, sums + at, step))
            p += packed
        store_rows(job, column, row, rows, total)

    return product


# -- several


def _stored(dots: Lanes, codes: Lanes, out: int, column: int) -> Lanes:
    store(out + ROWS * column, codes)
    return dots


def _expander(block: Block) -> Function:
    """The function that writes what sixteen packed blocks hold: codes, scales and means."""

    def skip(total: Lanes, dots: Lanes, index: int, where: int) -> Lanes:  # noqa: ARG001
        return total

    write_numbers, write_codes = block.numbers, block.codes(_stored, skip, _no_dots)

    def expand(p: int, codes: int, scales: int, means: int) -> None:
        write_numbers(p, scales, means)
        write_codes(p, codes, _nothing(), 0)

    return expand


def _panel(block: Block) -> Function:
    width, packed, expand = block.width, block.packed, _expander(block)
    bits, numbers = block.reach.bits, block.scales

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:  # noqa: ARG001
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
        scales, means = scales_of(out, round_up(cols)), means_of(out, round_up(cols), bits)
        for each in range(cols // width):
            expand(p, out + ROWS * width * each, scales + numbers * each, means + numbers * each)
            p += packed

    return panel


# -- floats


def _floats(block: Block) -> Function:
    """The function that expands sixteen packed blocks to floats: for each column a vector."""
    width, expand, affine, bits = block.width, _expander(block), block.affine, block.reach.bits
    zero = 128 if block.zero is None else block.zero
    lifted = 128 - BIAS if block.zero is None else 0  # makes signed bytes unsigned
    scales_at, means_at = ROWS * width, ROWS * width + block.scales
    fours = bits - 2

    def floats(p: int, out: int, scratch: int) -> None:
        expand(p, scratch, scratch + scales_at, scratch + means_at)
        mask, taken, more = ints_of(255), ints_of(zero), ints_of(lifted)
        for four in range(width >> 2):
            words, at = load_ints(scratch + 64 * four), four >> fours << 6
            scale = load_floats(scratch + scales_at + at)
            for byte in range(4):
                code = subtract(both(add(shifted_right(words, 8 * byte), more), mask), taken)
                w = multiply(scale, floats_from_ints(code))
                if affine:
                    w = add(w, load_floats(scratch + means_at + at))
                store(out + 64 * (4 * four + byte), w)

    return floats


def _float_panel(block: Block) -> Function:
    width, packed, floats = block.width, block.packed, _floats(block)

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:  # noqa: ARG001
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
        for col in range(0, cols, width):
            floats(p, out + 64 * col, scratch)
            p += packed

    return panel


def _decoder(block: Block) -> KernelFunction:
    """Rows as they are stored: sixteen are packed in scratch memory, a block at a time, and their floats are sorted."""
    width, size, group, floats = block.width, block.size, group_packer(block), _floats(block)
    made_at = block.expanded + block.packed
    sorted_at = made_at + 64 * width

    def decode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks, step = load_word(weights + COLS) // width, load_word(job + OUT_STRIDE)
        for row in range(first, last, ROWS):
            p, out = load_word(weights + PARTS) + row * blocks * size, load_word(job + OUT) + row * step
            rows = min(ROWS, last - row)
            for each in range(blocks):
                group(p + size * each, size * blocks, rows, scratch + block_at, scratch + made_at)
                floats(scratch + block_at, scratch + made_at, scratch)
                for col in range(0, width, 16):
                    transpose(scratch + made_at + 64 * col, 64, scratch + sorted_at)
                    for lane in range(rows):
                        to = out + lane * step + 4 * (width * each + col)
                        store(to, load_floats(scratch + sorted_at + 64 * lane))

    block_at = block.expanded
    return decode


def _gather(block: Block) -> KernelFunction:
    """Rows of the packed matrix, one by one."""
    width, packed, floats = block.width, block.packed, _floats(block)
    made_at = block.expanded

    def gather(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
            out = load_word(job + OUT) + index * load_word(job + OUT_STRIDE)
            for begin in range(0, cols, width):
                floats(p, scratch + made_at, scratch)
                for col in range(width):
                    store_float(out + 4 * (begin + col), load_float(scratch + made_at + 64 * col + 4 * (row & 15)))
                p += packed

    return gather


def interleaved(block: Block, **more: Any) -> Kernel:
    """The kernel of a format of ggml's blocks.

    Args:
        block: the format's.
        more: further fields of the kernel.
    """
    width, bits, size = block.width, block.reach.bits, block.packed
    few = products_of_groups(partial(_columns, block), lambda cols: cols // width * size)
    several = integer_product(_panel(block), affine=block.affine, reach=block.reach)
    zero = BIAS if block.zero is None else block.zero
    quantized = scales_per_16.quantized if bits == scales_per_16.SIXTEEN.bits else integer_gemm.quantized
    own = block.expanded + block.packed + 64 * width + 1024

    def packed(rows: int, cols: int) -> int:
        return -(-rows // ROWS) * (cols // width) * block.packed

    def scratch(cols: int) -> int:
        return max(integer_scratch(cols, bits), float_scratch(cols)) + own

    return Kernel(
        "native",
        quantized(zero),
        up_to(MOST, few, several),
        float_panels(_float_panel(block)),
        _gather(block),
        scratch,
        ("blocks",),
        pack=packer(block),
        packed=packed,
        decode=_decoder(block),
        **more,
    )
