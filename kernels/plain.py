"""What the kernels of plain floats share: a row is its numbers, read 16 at a time and widened on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.operands import COLS, OUT, PARTS, X
from fourcc.kernels.product import float_product, float_scratch
from fourcc.kernels.rows import by_eights, decoder, one_or_several
from fourcc.kernels.simd.arithmetic import multiply, sum_floats
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats
from fourcc.kernels.simd.rows import float32_rows, store_sums
from fourcc.kernels.simd.tiles import no_float_columns

Function = Callable[..., Any]


def _some_rows(rows: Function, load_some: Function, width: int, count: int) -> Function:
    """The product of `count` rows with one activation."""
    zeros = no_float_columns[count]

    def add_rest(weights: int, job: int, row: int) -> None:
        """The last columns, fewer than 16."""
        cols = load_word(weights + COLS)
        whole = cols >> 4 << 4
        x = load_some_floats(load_word(job + X) + 4 * whole, cols - whole)
        for each in range(row, row + count):
            p = load_word(weights + PARTS) + width * (each * cols + whole)
            out = load_word(job + OUT) + 4 * each
            store_float(out, load_float(out) + sum_floats(multiply(load_some(p, cols - whole), x)))

    def some(weights: int, job: int, row: int, scratch: int) -> None:  # noqa: ARG001
        cols = load_word(weights + COLS)
        step = cols * width
        p, x = load_word(weights + PARTS) + row * step, load_word(job + X)
        totals = zeros()
        whole = cols >> 4 << 4
        for col in range(0, whole, 16):
            totals = rows(totals, p + width * col, step, load_floats(x + 4 * col))
        store_sums(load_word(job + OUT) + 4 * row, totals)
        if whole < cols:
            add_rest(weights, job, row)

    return some


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


def plain(rows: Function, load: Function, load_some: Function, width: int) -> Kernel:
    """The kernel of a plain format.

    Args:
        rows: (totals, address, step, x) adds the products of 16 numbers of each row.
        load: (address) -> 16 floats.
        load_some: (address, count) -> up to 16, then zeros.
        width: bytes of a number.
    """
    decode = _decode_row(load, load_some, width)
    several = float_product(decode)
    eight, single = (_some_rows(rows, load_some, width, count) for count in (8, 1))
    tile = one_or_several(by_eights(eight, single), several)
    rows = decoder(decode)
    return Kernel("native", FLOAT, tile, tile, rows, float_scratch, ("values",), decode=rows)


FLOATS = plain(float32_rows, load_floats, load_some_floats, 4)
DECODED = replace(FLOATS, level="decode")  # for weights that were decoded first
