"""Q4_A: 4-bit indices into 16 floats for 256 columns, as they are stored.

Sixteen floats are one register, and a look-up of 16 indices one permute that sees only the low four bits of each 32-bit
word. So 64 bytes of indices, shifted right by 0, 4, .. 28 bits, are eight vectors of indices. The activation is brought
into that order once: vector j of a run of 128 columns has columns 8 l + (j ^ 1), l = 0 .. 15, since the even column of
a pair is in the high nibble.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import Activation, Kernel
from fourcc.kernels.operands import CODES, CODES_STEP, COLS, COUNT, OUT, PARTS, X_STEP, X, round_up
from fourcc.kernels.product import float_product, float_scratch
from fourcc.kernels.rows import by_eights, decoder, one_or_several
from fourcc.kernels.simd.memory import (
    load_byte,
    load_float,
    load_word,
    store,
    store_float,
)
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.rows import lookup_rows, store_sums
from fourcc.kernels.simd.tiles import no_float_columns

RUN = 128  # columns whose indices are one vector
INDICES = PARTS + 8
Function = Callable[..., Any]


def _prepare(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """The activations in the order of the indices, where other formats have codes."""
    if load_word(job + COUNT) != 1:  # several are multiplied as they came
        return
    wide = round_up(load_word(weights + COLS))
    for row in range(first, last):
        x = load_word(job + X) + row * load_word(job + X_STEP)
        out = load_word(job + CODES) + row * load_word(job + CODES_STEP)
        for run in range(0, wide, RUN):
            for j in range(8):
                for lane in range(16):
                    store_float(out + 4 * (run + 16 * j + lane), load_float(x + 4 * (run + 8 * lane + (j ^ 1))))


def _some_rows(count: int) -> Function:
    """The product of `count` rows with one activation; the last indices of a row are copied, and zeros behind them."""
    zeros = no_float_columns[count]

    def some(weights: int, job: int, row: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        stride, tables = (cols + 1) >> 1, ((cols + 255) >> 8) * 64
        p, bins = load_word(weights + INDICES) + row * stride, load_word(weights + PARTS) + row * tables
        x, whole = load_word(job + CODES), cols >> 7
        totals = zeros()
        for run in range(whole):
            totals = lookup_rows(totals, bins + (run >> 1) * 64, tables, p + 64 * run, stride, x + 512 * run)
        if whole < (cols + (RUN - 1)) >> 7:
            for each in range(count):
                store(scratch + 64 * each, load_some_bytes(p + each * stride + 64 * whole, stride - 64 * whole))
            totals = lookup_rows(totals, bins + (whole >> 1) * 64, tables, scratch, 64, x + 512 * whole)
        store_sums(load_word(job + OUT) + 4 * row, totals)

    return some


def _decode(weights: int, row: int, out: int) -> None:
    cols = load_word(weights + COLS)
    p = load_word(weights + INDICES) + row * ((cols + 1) >> 1)
    bins = load_word(weights + PARTS) + row * ((cols + 255) >> 8) * 64
    for pair in range(cols >> 1):
        both, table = load_byte(p + pair), bins + (pair >> 7) * 64
        store_float(out + 8 * pair, load_float(table + (both >> 4) * 4))
        store_float(out + 8 * pair + 4, load_float(table + (both & 15) * 4))
    if cols & 1:
        store_float(
            out + 4 * (cols - 1), load_float(bins + ((cols - 1) >> 8) * 64 + (load_byte(p + (cols >> 1)) >> 4) * 4)
        )


def _kernel() -> Kernel:
    several: Entry = float_product(_decode)
    ordered = Activation("float, by eights", _prepare, width=4)
    return Kernel(
        "native",
        ordered,
        one_or_several(by_eights(_some_rows(8), _some_rows(1)), several),
        several,
        decoder(_decode),
        float_scratch,
        ("bins", "q"),
    )


KERNEL = _kernel()
