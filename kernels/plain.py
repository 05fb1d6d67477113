"""What the kernels of plain floats share: a row is its numbers, read 16 at a time and widened on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fourcc.kernels.few import FEW, few
from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.operands import COLS, OUT, PARTS, X
from fourcc.kernels.product import float_product, float_scratch
from fourcc.kernels.rows import decoder, one_or_several
from fourcc.kernels.simd.arithmetic import add, multiply_add, no_floats, sum_floats
from fourcc.kernels.simd.memory import load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats

Function = Callable[..., Any]
LONG = 5120  # columns: beyond that an activation and the rows that pass by do not share a first-level cache


def _one(load: Function, load_some: Function, width: int) -> Entry:
    """The product with one activation: row by row, or, where the activation is long, four rows side by side."""
    four = _four_rows(load, load_some, width)

    def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        cols, x, out = load_word(weights + COLS), load_word(job + X), load_word(job + OUT)
        whole, row = cols >> 6 << 6, first
        while cols > LONG and row + 4 <= last:
            four(weights, job, row)
            row += 4
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


def _four_rows(load: Function, load_some: Function, width: int) -> Function:
    """Four rows against one activation, which is read once for all of them."""

    def four(weights: int, job: int, row: int) -> None:
        cols, x, out = load_word(weights + COLS), load_word(job + X), load_word(job + OUT) + 4 * row
        step, whole = cols * width, cols >> 4 << 4
        p = load_word(weights + PARTS) + row * step
        a, b, c, d = no_floats(), no_floats(), no_floats(), no_floats()
        xs = x
        for at in range(p, p + whole * width, 16 * width):
            factor = load_floats(xs)
            a = multiply_add(load(at), factor, a)
            b = multiply_add(load(at + step), factor, b)
            c = multiply_add(load(at + 2 * step), factor, c)
            d = multiply_add(load(at + 3 * step), factor, d)
            xs += 64
        if whole < cols:
            count, at = cols - whole, p + whole * width
            factor = load_some_floats(xs, count)
            a = multiply_add(load_some(at, count), factor, a)
            b = multiply_add(load_some(at + step, count), factor, b)
            c = multiply_add(load_some(at + 2 * step, count), factor, c)
            d = multiply_add(load_some(at + 3 * step, count), factor, d)
        store_float(out, sum_floats(a))
        store_float(out + 4, sum_floats(b))
        store_float(out + 8, sum_floats(c))
        store_float(out + 12, sum_floats(d))

    return four


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


def plain(load: Function, load_some: Function, width: int) -> Kernel:
    """The kernel of a plain format.

    Args:
        load: (address) -> 16 floats.
        load_some: (address, count) -> up to 16, then zeros.
        width: bytes of a number.
    """
    decode = _decode_row(load, load_some, width)
    several = float_product(decode)
    tile = one_or_several(_one(load, load_some, width), several, few(load, load_some, width), FEW)
    rows = decoder(decode)
    return Kernel("native", FLOAT, tile, tile, rows, float_scratch, ("values",), decode=rows)


FLOATS = plain(load_floats, load_some_floats, 4)
DECODED = replace(FLOATS, level="decode")  # for weights that were decoded first
