"""What the kernels of plain floats share: a row is its numbers, read 16 at a time and widened on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, OUT, PARTS, X
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.products.panel_gemm import float_product, float_scratch
from fourcc.kernels.products.prefetch import ALONE
from fourcc.kernels.products.row_gemv import decoder, one_or_several, up_to
from fourcc.kernels.products.small_n import FEW, few, numbers_by_columns
from fourcc.kernels.simd.arithmetic import add, multiply, multiply_add, no_floats, sum_floats
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats
from fourcc.kernels.simd.tiles import no_float_columns, row_products, store_column_sums

Function = Callable[..., Any]
MANY = 12  # rows side by side: four streams of memory are too few, and registers hold no more
# Bytes of an activation and the row that passes by, which a first-level cache holds; more are read with rows side by
# side, and all where no row is foreseen.
CACHE = 0 if ALONE else 28 << 10


def _one(rows: Function, load: Function, load_some: Function, width: int) -> KernelFunction:
    """The product with one activation: row by row, or, where the activation is long, twelve rows side by side."""
    many, single = _side_by_side(MANY, rows, load_some, width), _side_by_side(1, rows, load_some, width)

    def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        cols, x, out = load_word(weights + COLS), load_word(job + X), load_word(job + OUT)
        whole, row, long = cols >> 6 << 6, first, cols * (4 + width) > CACHE
        while long and row + MANY <= last:
            many(weights, job, row)
            row += MANY
        while long and row < last:  # in the same order as the others: where rows are cut depends on the threads
            single(weights, job, row)
            row += 1
        while row < last:
            p = load_word(weights + PARTS) + row * cols * width
            a, b, c, d = no_floats(), no_floats(), no_floats(), no_floats()
            xs = x
            for at in range(p, p + whole * width, 64 * width):  # by address: counting columns costs a tenth of the rate
                a = multiply_add(load(at), load_floats(xs), a)
                b = multiply_add(load(at + 16 * width), load_floats(xs + 64), b)
                c = multiply_add(load(at + 32 * width), load_floats(xs + 128), c)
                d = multiply_add(load(at + 48 * width), load_floats(xs + 192), d)
                xs += 256
            for col in range(whole, cols, 16):
                count = min(16, cols - col)
                a = multiply_add(load_some(p + width * col, count), load_some_floats(x + 4 * col, count), a)
            store_float(out + 4 * row, sum_floats(add(add(a, b), add(c, d))))
            row += 1

    return one


def _side_by_side(count: int, rows: Function, load_some: Function, width: int) -> Function:
    """Some rows side by side against one activation, which is read once for all of them."""
    zeros = no_float_columns[count]

    def side_by_side(weights: int, job: int, row: int) -> None:
        cols, out = load_word(weights + COLS), load_word(job + OUT) + 4 * row
        step, whole = cols * width, cols >> 4 << 4
        p, xs, totals = load_word(weights + PARTS) + row * step, load_word(job + X), zeros()
        for at in range(p, p + whole * width, 16 * width):
            totals = rows(totals, at, step, load_floats(xs))
            xs += 64
        store_column_sums(out, 4, totals)
        if whole < cols:
            left = cols - whole
            factor = load_some_floats(xs, left)
            for each in range(count):
                rest = sum_floats(multiply(load_some(p + each * step + whole * width, left), factor))
                store_float(out + 4 * each, load_float(out + 4 * each) + rest)

    return side_by_side


def _decode_row(load: Function, load_some: Function, width: int) -> Function:
    def decode(weights: int, row: int, out: int) -> None:
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + row * cols * width
        whole = cols >> 4 << 4
        for col in range(0, whole, 16):
            store(out + 4 * col, load(p + width * col))
        if whole < cols:
            store_some_floats(out + 4 * whole, load_some(p + width * whole, cols - whole), cols - whole)

    return decode


def plain(
    rows: Function, load: Function, load_some: Function, width: int, many: KernelFunction | None = None
) -> Kernel:
    """The kernel of a plain format.

    Args:
        rows: (totals, address, step, x) adds the products of sixteen numbers of each row; of `simd.tiles.row_products`.
        load: (address) -> 16 floats.
        load_some: (address, count) -> up to 16, then zeros.
        width: bytes of a number.
        many: the product with more activations than a few; None: that of floats.
    """
    decode = _decode_row(load, load_some, width)
    several = float_product(decode)
    some = few(partial(numbers_by_columns, load=load, load_some=load_some, width=width))
    one = _one(rows, load, load_some, width)
    exact = one_or_several(one, up_to(FEW, some, several))
    tile = exact if many is None else one_or_several(one, up_to(FEW, some, many))
    rows = decoder(decode)
    return Kernel("native", FLOAT, tile, exact, rows, float_scratch, ("values",), decode=rows, row_align=4 * MANY)


FLOATS = plain(row_products["floats"], load_floats, load_some_floats, 4)
DECODED = replace(FLOATS, level="decode")  # for weights that were decoded first
