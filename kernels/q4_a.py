"""Q4_A: 4-bit indices into 16 floats for 256 columns, as they are stored.

Sixteen floats are one register, and a look-up of 16 indices one permute that sees only the low four bits of each 32-bit
word. So 64 bytes of indices, shifted right by 0, 4, .. 28 bits, are eight vectors of indices. The activation is brought
into that order once: vector j of a run of 128 columns has columns 8 l + (j ^ 1), l = 0 .. 15, since the even column of
a pair is in the high nibble.

A row's last run may be short. What lies behind its columns, a nibble of padding among it, takes the index of the run's
first column: it meets activations of 0, so that it adds nothing, unless that weight itself is not finite. Which nibbles
are columns is kept with the activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import (
    CODES,
    CODES_STRIDE,
    COLS,
    COUNT,
    OUT,
    OUT_STRIDE,
    PARTS,
    SCALES,
    SCALES_STRIDE,
    X_STRIDE,
    X,
    round_up,
)
from fourcc.kernels.encoders.q4_a import decode, encoder
from fourcc.kernels.kernel import Activation, Kernel
from fourcc.kernels.products.panel_gemm import float_product, float_scratch
from fourcc.kernels.products.row_gemv import decoder, one_or_several, up_to
from fourcc.kernels.products.small_n import few
from fourcc.kernels.simd.arithmetic import add, ints_of, multiply_add, no_floats, shifted_right, subtract, sum_floats
from fourcc.kernels.simd.dot import lookup
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import (
    load_byte,
    load_float,
    load_floats,
    load_ints,
    load_word,
    prefetch,
    store_byte,
    store_float,
)
from fourcc.kernels.simd.partial import load_some_ints
from fourcc.kernels.simd.select import both, either
from fourcc.kernels.simd.tiles import multiply_add_runs, no_float_columns, store_column_sums

Function = Callable[..., Any]

RUN = 128  # columns whose indices are one vector
INDICES = PARTS + 8
FEW = 40  # activations: beyond that panels are faster
EIGHT_NIBBLES, SIGN = 0x11111111, 0x80000000
LONG = 5120  # columns: beyond that an activation and the rows that pass by do not share a first-level cache
AHEAD = 2048  # bytes of indices; in turn with the activation's 16 KiB, the processor's own prefetching comes late


def _prepare(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """The activations in the order of the indices, in place of codes; in place of steps, which nibbles are columns."""
    if load_word(job + COUNT) > FEW:  # many are multiplied as they came
        return
    wide, short = round_up(load_word(weights + COLS)), load_word(weights + COLS) & (RUN - 1)
    for row in range(first, last):
        nibbles = load_word(job + SCALES) + row * load_word(job + SCALES_STRIDE)
        for byte in range(RUN // 2 if short else 0):
            left = short - 2 * byte
            store_byte(nibbles + byte, 255 if left > 1 else 240 if left == 1 else 0)
        x = load_word(job + X) + row * load_word(job + X_STRIDE)
        out = load_word(job + CODES) + row * load_word(job + CODES_STRIDE)
        for run in range(0, wide, RUN):
            for j in range(8):
                for lane in range(16):
                    store_float(out + 4 * (run + 16 * j + lane), load_float(x + 4 * (run + 8 * lane + (j ^ 1))))


def indices(p: int, run: int, cols: int, nibbles: int) -> Lanes:
    """The indices of a run of 128 columns of a row; behind the row's end that of the run's first column.

    Args:
        p: the row.
        run: its number.
        cols: columns of the row.
        nibbles: which nibbles of a short run are columns.
    """
    at, left = p + 64 * run, cols - RUN * run
    return load_ints(at) if left >= RUN else _short_run(at, left, nibbles)


def _short_run(at: int, left: int, nibbles: int) -> Lanes:
    """Of fewer than 128 columns."""
    columns, first = load_ints(nibbles), (load_byte(at) >> 4) * EIGHT_NIBBLES
    first = (first ^ SIGN) - SIGN  # of 32 bits
    others = both(ints_of(first), subtract(ints_of(-1), columns))
    made: Lanes = either(both(load_some_ints(at, (left + 1) >> 1), columns), others)
    return made


def _four_rows(columns: int) -> Function:
    """Four rows (of which `last` may be the last one) against some activations, which are read once for all of them."""
    zeros = no_float_columns[columns]

    def multiply(weights: int, job: int, row: int, last: int, column: int) -> None:
        cols, step = load_word(weights + COLS), load_word(job + CODES_STRIDE)
        stride, tables = (cols + 1) >> 1, ((cols + 255) >> 8) * 64
        p, bins = load_word(weights + INDICES) + row * stride, load_word(weights + PARTS) + row * tables
        second, third, fourth, nibbles = min(1, last), min(2, last), min(3, last), load_word(job + SCALES)
        a, b, c, d = zeros(), zeros(), zeros(), zeros()
        for run in range((cols + (RUN - 1)) >> 7):
            at, x = bins + (run >> 1) * 64, load_word(job + CODES) + column * step + 512 * run
            e, f = load_floats(at), load_floats(at + second * tables)
            g, h = load_floats(at + third * tables), load_floats(at + fourth * tables)
            i, k = indices(p, run, cols, nibbles), indices(p + second * stride, run, cols, nibbles)
            m, n = indices(p + third * stride, run, cols, nibbles), indices(p + fourth * stride, run, cols, nibbles)
            for j in range(8):
                xs = x + 64 * j
                a = multiply_add_runs(a, lookup(e, shifted_right(i, 4 * j)), xs, step)
                b = multiply_add_runs(b, lookup(f, shifted_right(k, 4 * j)), xs, step)
                c = multiply_add_runs(c, lookup(g, shifted_right(m, 4 * j)), xs, step)
                d = multiply_add_runs(d, lookup(h, shifted_right(n, 4 * j)), xs, step)
        out_step = load_word(job + OUT_STRIDE)
        out = load_word(job + OUT) + column * out_step + 4 * row
        store_column_sums(out + 4 * fourth, out_step, d)
        store_column_sums(out + 4 * third, out_step, c)
        store_column_sums(out + 4 * second, out_step, b)
        store_column_sums(out, out_step, a)

    return multiply


_four_rows_one = _four_rows(1)


def _one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Row by row, or, where the activation is long, four rows side by side."""
    cols, row = load_word(weights + COLS), first
    while cols > LONG and row < last:
        _four_rows_one(weights, job, row, min(3, last - row - 1), 0)
        row += 4
    while row < last:
        _one_row(weights, job, row)
        row += 1


def _one_row(weights: int, job: int, row: int) -> None:
    """Four sums take the vectors of indices in turn."""
    cols = load_word(weights + COLS)
    stride, tables = (cols + 1) >> 1, ((cols + 255) >> 8) * 64
    p, bins = load_word(weights + INDICES) + row * stride, load_word(weights + PARTS) + row * tables
    a, b, c, d, nibbles = no_floats(), no_floats(), no_floats(), no_floats(), load_word(job + SCALES)
    for run in range((cols + (RUN - 1)) >> 7):
        table, x = load_floats(bins + (run >> 1) * 64), load_word(job + CODES) + 512 * run
        prefetch(p + 64 * run + AHEAD)
        prefetch(bins + (run >> 1) * 64 + AHEAD // 2)
        index = indices(p, run, cols, nibbles)
        for j in range(0, 8, 4):
            xs = x + 64 * j
            a = multiply_add(lookup(table, shifted_right(index, 4 * j)), load_floats(xs), a)
            b = multiply_add(lookup(table, shifted_right(index, 4 * j + 4)), load_floats(xs + 64), b)
            c = multiply_add(lookup(table, shifted_right(index, 4 * j + 8)), load_floats(xs + 128), c)
            d = multiply_add(lookup(table, shifted_right(index, 4 * j + 12)), load_floats(xs + 192), d)
    store_float(load_word(job + OUT) + 4 * row, sum_floats(add(add(a, b), add(c, d))))


def _kernel() -> Kernel:
    several: KernelFunction = float_product(decode)
    rows = decoder(decode)
    ordered = Activation("float, by eights", _prepare, width=4)
    return Kernel(
        "native",
        ordered,
        one_or_several(_one, up_to(FEW, few(_four_rows), several)),
        several,
        rows,
        float_scratch,
        ("bins", "q"),
        decode=rows,
        encoder=encoder,
    )


KERNEL = _kernel()
