"""Kernels of plain floats: a row is its numbers, loaded 16 at a time and widened as they are loaded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, OUT, PARTS, X
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.products.crossover import FLOAT_ROWS
from fourcc.kernels.products.panel_gemm import float_product, float_scratch
from fourcc.kernels.products.prefetch import GEMV_DISTANCE
from fourcc.kernels.products.row_gemv import choose_by_count, decoder, one_or_several
from fourcc.kernels.products.signatures import AddRows, Load, LoadSome, SideBySide, WriteRow
from fourcc.kernels.products.small_n import four_float_rows, small_n
from fourcc.kernels.simd.arithmetic import add, multiply, multiply_add, no_floats, sum_floats
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats
from fourcc.kernels.simd.tiles import no_float_columns, row_products, store_column_sums

SIDE_BY_SIDE = 12  # rows: four streams of memory are too few, and registers hold no more than twelve
# Bytes of an activation and a row that the L1 cache holds together. Longer rows are read side by side; where
# the processor does not prefetch a single row in time, all are.
L1_BYTES = 0 if GEMV_DISTANCE else 28 << 10


def _gemv(add_rows: AddRows, load: Load, load_some: LoadSome, width: int) -> KernelFunction:
    """The product with one activation: row by row, or, where the activation is long, twelve rows side by side."""
    many, single = _side_by_side(SIDE_BY_SIDE, add_rows, load_some, width), _side_by_side(1, add_rows, load_some, width)

    def gemv(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, x, out = load_word(weights + COLS), load_word(job + X), load_word(job + OUT)
        whole, row, long = cols >> 6 << 6, first, cols * (4 + width) > L1_BYTES
        while long and row + SIDE_BY_SIDE <= last:
            many(weights, job, row)
            row += SIDE_BY_SIDE
        while long and row < last:  # sums in the same order as above: threads may cut rows anywhere
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

    return gemv


def _side_by_side(count: int, add_rows: AddRows, load_some: LoadSome, width: int) -> SideBySide:
    """The product of some rows with one activation, which is read once for all of them."""
    zeros = no_float_columns[count]

    def side_by_side(weights: int, job: int, row: int) -> None:
        cols, out = load_word(weights + COLS), load_word(job + OUT) + 4 * row
        stride, whole = cols * width, cols >> 4 << 4
        p, xs, totals = load_word(weights + PARTS) + row * stride, load_word(job + X), zeros()
        for at in range(p, p + whole * width, 16 * width):
            totals = add_rows(totals, at, stride, load_floats(xs))
            xs += 64
        store_column_sums(out, 4, totals)
        if whole < cols:
            left = cols - whole
            factor = load_some_floats(xs, left)
            for each in range(count):
                rest = sum_floats(multiply(load_some(p + each * stride + whole * width, left), factor))
                store_float(out + 4 * each, load_float(out + 4 * each) + rest)

    return side_by_side


def _decode_row(load: Load, load_some: LoadSome, width: int) -> WriteRow:
    def decode(weights: int, row: int, out: int) -> None:
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + row * cols * width
        whole = cols >> 4 << 4
        for col in range(0, whole, 16):
            store(out + 4 * col, load(p + width * col))
        if whole < cols:
            store_some_floats(out + 4 * whole, load_some(p + width * whole, cols - whole), cols - whole)

    return decode


def float_kernel(
    add_rows: AddRows, load: Load, load_some: LoadSome, width: int, gemm: KernelFunction | None = None
) -> Kernel:
    """The kernel of a format whose weights are plain floats.

    Args:
        add_rows: adds the products of sixteen numbers of each row; one of `simd.tiles.row_products`.
        load: sixteen numbers, widened to floats.
        load_some: up to sixteen.
        width: bytes of a number.
        gemm: the product with more than `crossover.FLOAT_ROWS` activations; None: that of floats.
    """
    decode = _decode_row(load, load_some, width)
    float_gemm = float_product(decode)
    few = small_n(partial(four_float_rows, load=load, load_some=load_some, width=width))
    gemv = _gemv(add_rows, load, load_some, width)
    exact = one_or_several(gemv, choose_by_count(FLOAT_ROWS, few, float_gemm))
    tile = exact if gemm is None else one_or_several(gemv, choose_by_count(FLOAT_ROWS, few, gemm))
    rows = decoder(decode)
    return Kernel(
        "native", FLOAT, tile, exact, rows, float_scratch, ("values",), decode=rows, row_align=4 * SIDE_BY_SIDE
    )


FLOATS = float_kernel(row_products["floats"], load_floats, load_some_floats, 4)
DECODED = replace(FLOATS, level="decode")  # for weights that were decoded first
