"""Products of floats with a few activations: four rows side by side, some activations at a time.

Making a panel costs more than it brings where it is multiplied by few. Here four rows and up to four activations are
sixteen sums in registers; each number of a row, and of an activation, is loaded once for four products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, COUNT, OUT, OUT_STRIDE, PARTS, X_STRIDE, X
from fourcc.kernels.simd.memory import load_word
from fourcc.kernels.simd.tiles import multiply_add_runs, no_float_columns, store_column_sums

Function = Callable[..., Any]
FEW = 16  # activations: from here on panels are faster
ROWS = 4


def numbers_by_columns(columns: int, *, load: Function, load_some: Function, width: int) -> Function:
    """Four rows of numbers (of which `last` may be the last one) against some activations.

    Args:
        columns: activations.
        load: (address) -> 16 floats.
        load_some: (address, count) -> up to 16, then zeros.
        width: bytes of a number.

    Returns:
        (weights, job, row, last, column), the product with those from a column on.
    """
    zeros = no_float_columns[columns]

    def multiply(weights: int, job: int, row: int, last: int, column: int) -> None:
        cols, step = load_word(weights + COLS), load_word(job + X_STRIDE)
        whole, stride = cols >> 4 << 4, cols * width
        p = load_word(weights + PARTS) + row * stride
        q, r, s = p + stride * min(1, last), p + stride * min(2, last), p + stride * min(3, last)
        xs = load_word(job + X) + column * step
        a, b, c, d = zeros(), zeros(), zeros(), zeros()
        for at in range(0, whole * width, 16 * width):
            a = multiply_add_runs(a, load(p + at), xs, step)
            b = multiply_add_runs(b, load(q + at), xs, step)
            c = multiply_add_runs(c, load(r + at), xs, step)
            d = multiply_add_runs(d, load(s + at), xs, step)
            xs += 64
        if whole < cols:  # zeros follow the activations
            at, count = whole * width, cols - whole
            a = multiply_add_runs(a, load_some(p + at, count), xs, step)
            b = multiply_add_runs(b, load_some(q + at, count), xs, step)
            c = multiply_add_runs(c, load_some(r + at, count), xs, step)
            d = multiply_add_runs(d, load_some(s + at, count), xs, step)
        out_step = load_word(job + OUT_STRIDE)
        out = load_word(job + OUT) + column * out_step + 4 * row
        store_column_sums(out + 4 * min(3, last), out_step, d)
        store_column_sums(out + 4 * min(2, last), out_step, c)
        store_column_sums(out + 4 * min(1, last), out_step, b)
        store_column_sums(out, out_step, a)

    return multiply


def few(some: Callable[[int], Function]) -> KernelFunction:
    """The product with a few activations.

    Args:
        some: columns -> (weights, job, row, last, column), the product of four rows with so many.
    """
    four, two, one = some(4), some(2), some(1)

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
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
