"""Products of a matrix with several activations: 16 rows at a time, made into a panel in the thread's scratch memory.

A panel holds 16 rows interleaved, so that one vector register has one number (or four codes) of each row and no sum
ever crosses lanes. It is made once and multiplied by all activations, up to 8 at a time in registers; its cost is a
hundredth of a product with 512 activations, and it is why the stored layout serves as it is.

Formats of integer codes make panels of codes, with a scale for each row and 32 columns (`integer_product`); all others
make panels of floats (`float_product`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fourcc.kernels.jit import Kernel
from fourcc.kernels.operands import (
    CODES,
    CODES_STEP,
    COLS,
    COUNT,
    OFFSETS,
    OUT,
    OUT_STEP,
    STEPS,
    STEPS_STEP,
    SUMS,
    X_STEP,
    X,
    round_up,
)
from fourcc.kernels.simd.memory import load_bytes, load_floats, load_word
from fourcc.kernels.simd.target import target
from fourcc.kernels.simd.tiles import (
    dot_columns,
    multiply_add_columns,
    no_float_columns,
    no_int_columns,
    scale_columns,
    store_columns,
    store_some_columns,
    transpose,
)

ROWS = 16  # of a panel
WIDTH = target().columns
Function = Callable[..., Any]


def blocks_of(cols: int) -> int:
    """Blocks of 32 columns, the last one begun or whole."""
    return (cols + 31) >> 5


def integer_scratch(cols: int) -> int:
    """Bytes of scratch memory that `integer_product` needs: 16 rows and their panel, each codes, scales and means."""
    return 2 * ROWS * (round_up(cols) + 8 * scale_words(round_up(cols)))


def scale_words(cols: int) -> int:
    """Scales of a row in scratch memory: one for 32 columns, up to a multiple of 16."""
    return ((cols >> 5) + 15) >> 4 << 4


def float_scratch(cols: int) -> int:
    """Bytes of scratch memory that `float_product` needs: 16 rows and their panel, floats."""
    return 2 * ROWS * 4 * round_up(cols)


# -- panels


def interleave(rows: int, step: int, words: int, panel: int) -> None:
    """Sixteen rows of 32-bit words, `step` bytes apart, to a panel: for each word 16 of them, a multiple of 16."""
    for word in range(0, words, 16):
        transpose(rows + 4 * word, step, panel + 64 * word)


def transposed(unpack: Function) -> Function:
    """A maker of panels of codes from a function that unpacks a row.

    Args:
        unpack: (weights, row, codes, scales, means) writes `round_up(cols)` codes, as `simd.dot.biased` leaves them or
            unsigned below 128, and one scale (and mean, where the format has them) for 32 columns.
    """

    def panel(weights: int, row: int, count: int, codes: int, scales: int, means: int, scratch: int) -> None:
        cols = round_up(load_word(weights + COLS))
        words = scale_words(cols)
        row_scales = scratch + ROWS * cols
        row_means = row_scales + ROWS * 4 * words
        for each in range(count):
            unpack(
                weights, row + each, scratch + each * cols, row_scales + 4 * words * each, row_means + 4 * words * each
            )
        interleave(scratch, cols, cols >> 2, codes)
        interleave(row_scales, 4 * words, words, scales)
        if means:
            interleave(row_means, 4 * words, words, means)

    return panel


# -- codes


def _code_columns(columns: int, *, affine: bool) -> Function:
    """The product of a panel of codes with some activations at once."""
    nothing, zeros = no_float_columns[columns], no_int_columns[columns]

    def multiply(codes: int, scales: int, means: int, blocks: int, job: int, column: int, rows: int, row: int) -> None:  # noqa: PLR0917
        x_step, step = load_word(job + CODES_STEP), load_word(job + STEPS_STEP)
        x = load_word(job + CODES) + column * x_step
        steps, offsets = load_word(job + STEPS) + column * step, load_word(job + OFFSETS) + column * step
        sums = load_word(job + SUMS) + column * step
        total = nothing()
        for block in range(blocks):
            dots = zeros()
            for part in range(8 * block, 8 * block + 8):
                dots = dot_columns(dots, load_bytes(codes + 64 * part), x + 4 * part, x_step)
            at = 4 * block
            total = scale_columns(total, dots, load_floats(scales + 16 * at), steps + at, offsets + at, step)
            if affine:
                total = multiply_add_columns(total, load_floats(means + 16 * at), sums + at, step)
        out_step = load_word(job + OUT_STEP)
        out = load_word(job + OUT) + column * out_step + 4 * row
        if rows == ROWS:
            store_columns(out, out_step, total)
        else:
            store_some_columns(out, out_step, total, rows)

    return multiply


def _all_columns(multiply: Callable[[int], Function]) -> Function:
    """Products of one panel with any number of activations, as many at once as registers hold.

    Args:
        multiply: columns -> (…, job, column, rows, row), the product with so many.
    """
    eight, four, two, one = map(multiply, (8, 4, 2, 1))

    def products(codes: int, scales: int, means: int, blocks: int, job: int, count: int, rows: int, row: int) -> None:  # noqa: PLR0917
        column = 0
        if WIDTH == 8:
            while column + 8 <= count:
                eight(codes, scales, means, blocks, job, column, rows, row)
                column += 8
        while column + 4 <= count:
            four(codes, scales, means, blocks, job, column, rows, row)
            column += 4
        if column + 2 <= count:
            two(codes, scales, means, blocks, job, column, rows, row)
            column += 2
        if column < count:
            one(codes, scales, means, blocks, job, column, rows, row)

    return products


code_products = _all_columns(partial(_code_columns, affine=False))
affine_products = _all_columns(partial(_code_columns, affine=True))


def integer_product(panel: Function, *, affine: bool = False) -> Kernel:
    """The product with several quantized activations.

    Args:
        panel: (weights, row, count, codes, scales, means, scratch) makes the panel of rows from `row` on.
        affine: whether blocks have a mean beside their scale.
    """
    products = affine_products if affine else code_products

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        wide, blocks, count = round_up(cols), blocks_of(cols), load_word(job + COUNT)
        words = scale_words(wide)
        scales = scratch + ROWS * wide
        means = scales + ROWS * 4 * words if affine else 0
        spare = scales + ROWS * 8 * words
        for row in range(first, last, ROWS):
            rows = min(ROWS, last - row)
            panel(weights, row, rows, scratch, scales, means, spare)
            products(scratch, scales, means, blocks, job, count, rows, row)

    return tile


# -- floats


def _float_columns(columns: int) -> Function:
    """The product of a panel of floats with some activations at once."""
    nothing = no_float_columns[columns]

    def multiply(panel: int, _: int, __: int, cols: int, job: int, column: int, rows: int, row: int) -> None:
        step = load_word(job + X_STEP)
        x = load_word(job + X) + column * step
        total = nothing()
        for col in range(cols):
            total = multiply_add_columns(total, load_floats(panel + 64 * col), x + 4 * col, step)
        out_step = load_word(job + OUT_STEP)
        out = load_word(job + OUT) + column * out_step + 4 * row
        if rows == ROWS:
            store_columns(out, out_step, total)
        else:
            store_some_columns(out, out_step, total, rows)

    return multiply


float_products = _all_columns(_float_columns)


def float_panels(panel: Function) -> Kernel:
    """The product with several activations kept as floats.

    Args:
        panel: (weights, row, count, panel, scratch) makes the panel of `count` rows from `row` on.
    """

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        spare = scratch + ROWS * 4 * round_up(cols)
        for row in range(first, last, ROWS):
            rows = min(ROWS, last - row)
            panel(weights, row, rows, scratch, spare)
            float_products(scratch, 0, 0, cols, job, count, rows, row)

    return tile


def float_product(decode: Function) -> Kernel:
    """`float_panels` of rows that are decoded one by one.

    Args:
        decode: (weights, row, out) writes a row's floats; what it writes beyond the last column is not read.
    """

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        wide = round_up(load_word(weights + COLS))
        for each in range(count):
            decode(weights, row + each, scratch + 4 * wide * each)
        interleave(scratch, 4 * wide, wide, out)

    return float_panels(panel)
