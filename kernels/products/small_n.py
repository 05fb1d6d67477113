"""Products of floats with a few activations (GEMM with a small N): four rows meet up to four activations at once.

A panel for few activations costs more than it saves. Here four rows and four activations are sixteen sums in
registers, so every number of a row, and of an activation, is loaded once for four products.
"""

from __future__ import annotations

from collections.abc import Callable

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, COUNT, OUT, OUT_STRIDE, PARTS, X_STRIDE, X
from fourcc.kernels.products.signatures import FourRows, Load, LoadSome
from fourcc.kernels.simd.memory import load_word
from fourcc.kernels.simd.tiles import multiply_add_runs, no_float_columns, store_column_sums

ROWS = 4


def four_float_rows(columns: int, *, load: Load, load_some: LoadSome, width: int) -> FourRows:
    """The product of four rows of floats with some activations.

    Where fewer than four rows are left, the last one stands in for the missing ones.

    Args:
        columns: activations.
        load: sixteen numbers, widened to floats.
        load_some: up to sixteen.
        width: bytes of a number.
    """
    zeros = no_float_columns[columns]

    def multiply(weights: int, job: int, row: int, last: int, column: int) -> None:
        cols, x_stride = load_word(weights + COLS), load_word(job + X_STRIDE)
        whole, stride = cols >> 4 << 4, cols * width
        p = load_word(weights + PARTS) + row * stride
        q, r, s = p + stride * min(1, last), p + stride * min(2, last), p + stride * min(3, last)
        xs = load_word(job + X) + column * x_stride
        a, b, c, d = zeros(), zeros(), zeros(), zeros()
        for at in range(0, whole * width, 16 * width):
            a = multiply_add_runs(a, load(p + at), xs, x_stride)
            b = multiply_add_runs(b, load(q + at), xs, x_stride)
            c = multiply_add_runs(c, load(r + at), xs, x_stride)
            d = multiply_add_runs(d, load(s + at), xs, x_stride)
            xs += 64
        if whole < cols:  # zeros follow the activations
            at, count = whole * width, cols - whole
            a = multiply_add_runs(a, load_some(p + at, count), xs, x_stride)
            b = multiply_add_runs(b, load_some(q + at, count), xs, x_stride)
            c = multiply_add_runs(c, load_some(r + at, count), xs, x_stride)
            d = multiply_add_runs(d, load_some(s + at, count), xs, x_stride)
        out_stride = load_word(job + OUT_STRIDE)
        out = load_word(job + OUT) + column * out_stride + 4 * row
        store_column_sums(out + 4 * min(3, last), out_stride, d)
        store_column_sums(out + 4 * min(2, last), out_stride, c)
        store_column_sums(out + 4 * min(1, last), out_stride, b)
        store_column_sums(out, out_stride, a)

    return multiply


def small_n(four_rows: Callable[[int], FourRows]) -> KernelFunction:
    """The product with a few activations.

    Args:
        four_rows: (columns) -> the product of four rows with so many activations.
    """
    four, two, one = four_rows(4), four_rows(2), four_rows(1)

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        count = load_word(job + COUNT)
        for row in range(first, last, ROWS):
            column, end = 0, min(ROWS, last - row) - 1
            while column + 4 <= count:
                four(weights, job, row, end, column)
                column += 4
            if column + 2 <= count:
                two(weights, job, row, end, column)
                column += 2
            if column < count:
                one(weights, job, row, end, column)

    return tile
