"""What the kernels of plain floats share: a row is its numbers, read 16 at a time and widened on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.operands import COLS, OUT, PARTS, X
from fourcc.kernels.product import float_product, float_scratch
from fourcc.kernels.rows import decoder, one_or_several
from fourcc.kernels.simd.arithmetic import add, multiply_add, no_floats, sum_floats
from fourcc.kernels.simd.memory import load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats

Function = Callable[..., Any]


def _one(load: Function, load_some: Function, width: int) -> Entry:
    """The product with one activation; four sums take the numbers in turn."""

    def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        cols, x, out = load_word(weights + COLS), load_word(job + X), load_word(job + OUT)
        whole = cols >> 6 << 6
        for row in range(first, last):
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

    return one


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
    tile = one_or_several(_one(load, load_some, width), several)
    rows = decoder(decode)
    return Kernel("native", FLOAT, tile, tile, rows, float_scratch, ("values",), decode=rows)


FLOATS = plain(load_floats, load_some_floats, 4)
DECODED = replace(FLOATS, level="decode")  # for weights that were decoded first
