"""Q4_A: 4-bit indices into 16 floats for 256 columns, as they are stored.

Sixteen floats fill one register, and a permute looks 16 indices up in it; it sees only the low four bits of each 32-bit
word. So 64 bytes of indices, shifted right by 0, 4, .. 28 bits, are eight vectors of indices. The activation is brought
into that order once: vector j of a run of 128 columns has columns 8 l + (j ^ 1), l = 0 .. 15, since the even column of
a pair is in the high nibble.

A row's last run may be short. Nibbles behind its columns, the padding of a byte among them, take the index of the run's
first column. They meet activations of 0, so they add nothing, unless that weight itself is not finite. A mask beside
the activation tells which nibbles are columns.
"""

from __future__ import annotations

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
from fourcc.kernels.products.crossover import TABLE_ROWS
from fourcc.kernels.products.panel_gemm import float_product, float_scratch
from fourcc.kernels.products.row_gemv import choose_by_count, decoder, one_or_several
from fourcc.kernels.products.signatures import FourRows
from fourcc.kernels.products.small_n import small_n
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

RUN = 128  # columns whose indices are one vector
INDICES = PARTS + 8
EIGHT_NIBBLES, SIGN = 0x11111111, 0x80000000
LONG = 5120  # columns: a longer activation does not fit into the L1 cache together with a row
AHEAD = 2048  # bytes of indices; read in turn with 16 KiB of activation, so the processor's own prefetching is late


def _prepare(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Writes activations in the order of the indices in place of codes, a short run's mask in place of scales."""
    if load_word(job + COUNT) > TABLE_ROWS:  # many are multiplied as they came
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
    """The indices of a run of 128 columns; nibbles behind the row's end have that of the run's first column.

    Args:
        p: address of the row.
        run: number of the run.
        cols: columns of the row.
        nibbles: address of the mask of a short run's columns.
    """
    at, left = p + 64 * run, cols - RUN * run
    return load_ints(at) if left >= RUN else _short_run(at, left, nibbles)


def _short_run(at: int, left: int, nibbles: int) -> Lanes:
    """The indices of a run of fewer than 128 columns."""
    columns, first = load_ints(nibbles), (load_byte(at) >> 4) * EIGHT_NIBBLES
    first = (first ^ SIGN) - SIGN  # sign extension from 32 bits
    others = both(ints_of(first), subtract(ints_of(-1), columns))
    vector: Lanes = either(both(load_some_ints(at, (left + 1) >> 1), columns), others)
    return vector


def _four_rows(columns: int) -> FourRows:
    """The product of four rows with some activations, which are read once for all of them.

    Where fewer than four rows are left, the last one stands in for the missing ones.
    """
    zeros = no_float_columns[columns]

    def multiply(weights: int, job: int, row: int, last: int, column: int) -> None:
        cols, x_stride = load_word(weights + COLS), load_word(job + CODES_STRIDE)
        stride, tables = (cols + 1) >> 1, ((cols + 255) >> 8) * 64
        p, bins = load_word(weights + INDICES) + row * stride, load_word(weights + PARTS) + row * tables
        second, third, fourth, nibbles = min(1, last), min(2, last), min(3, last), load_word(job + SCALES)
        total_0, total_1, total_2, total_3 = zeros(), zeros(), zeros(), zeros()
        for run in range((cols + (RUN - 1)) >> 7):
            at, x = bins + (run >> 1) * 64, load_word(job + CODES) + column * x_stride + 512 * run
            table_0, table_1 = load_floats(at), load_floats(at + second * tables)
            table_2, table_3 = load_floats(at + third * tables), load_floats(at + fourth * tables)
            index_0, index_1 = indices(p, run, cols, nibbles), indices(p + second * stride, run, cols, nibbles)
            index_2 = indices(p + third * stride, run, cols, nibbles)
            index_3 = indices(p + fourth * stride, run, cols, nibbles)
            for j in range(8):
                xs = x + 64 * j
                total_0 = multiply_add_runs(total_0, lookup(table_0, shifted_right(index_0, 4 * j)), xs, x_stride)
                total_1 = multiply_add_runs(total_1, lookup(table_1, shifted_right(index_1, 4 * j)), xs, x_stride)
                total_2 = multiply_add_runs(total_2, lookup(table_2, shifted_right(index_2, 4 * j)), xs, x_stride)
                total_3 = multiply_add_runs(total_3, lookup(table_3, shifted_right(index_3, 4 * j)), xs, x_stride)
        out_stride = load_word(job + OUT_STRIDE)
        out = load_word(job + OUT) + column * out_stride + 4 * row
        store_column_sums(out + 4 * fourth, out_stride, total_3)
        store_column_sums(out + 4 * third, out_stride, total_2)
        store_column_sums(out + 4 * second, out_stride, total_1)
        store_column_sums(out, out_stride, total_0)

    return multiply


_four_rows_gemv = _four_rows(1)


def _gemv(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product with one activation: row by row, or, where the activation is long, four rows side by side."""
    cols, row = load_word(weights + COLS), first
    while cols > LONG and row < last:
        _four_rows_gemv(weights, job, row, min(3, last - row - 1), 0)
        row += 4
    while row < last:
        _one_row(weights, job, row)
        row += 1


def _one_row(weights: int, job: int, row: int) -> None:
    """The product of a row with one activation: four sums take the vectors of indices in turn."""
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
        one_or_several(_gemv, choose_by_count(TABLE_ROWS, small_n(_four_rows), several)),
        several,
        rows,
        float_scratch,
        ("bins", "q"),
        decode=rows,
        encoder=encoder,
    )


KERNEL = _kernel()
