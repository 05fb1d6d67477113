"""Products of trellis-coded weights: blocks of 64 rows and 4 columns, whose codes run down one column after the other.

Sixteen neighbouring codes of a ring are sixteen rows of one column, as a product takes them: their windows are cut out
of 8 bytes, or 16, and looked up in the table, in memory. The windows of a block's last sixteen weights go on with the
ring's first bytes, so these are copied behind the last ones.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, COUNT, OUT, OUT_STRIDE, PARTS, X_STRIDE, X
from fourcc.kernels.fusing.lookup_lowering import address_of, gather
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.products.crossover import BLOCK_DECODERS
from fourcc.kernels.products.panel_gemm import any_count, float_panels, float_scratch, store_rows
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.products.row_gemv import choose_by_count
from fourcc.kernels.products.signatures import PanelMaker, Tile
from fourcc.kernels.simd.arithmetic import floats_of, multiply
from fourcc.kernels.simd.builder import Builder, Value
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float16
from fourcc.kernels.simd.memory import VECTOR, load_floats, load_word, store, store_word
from fourcc.kernels.simd.operation import FLOATS, INTS, operation
from fourcc.kernels.simd.partial import store_some_floats
from fourcc.kernels.simd.tiles import multiply_add_columns, no_float_columns
from fourcc.kernels.simd.transpose import transpose
from fourcc.kernels.simd.windows import load_windows

STATES = 4096
SHIFT, BLOCK_COLS = 6, 4  # of a block: log2 of its rows; its columns
SIXTEENS = 16  # of a ring
CODES = PARTS + 8
LINE = 64
Stored = tuple[int, int]  # address of the weights, scratch memory
Column = Callable[[int, int, int, int], Lanes]  # (codes, part, col, wrapped) -> weights before their scale
Square = Callable[[int, int, int, int], int]  # (weights, row, left, scratch) -> the address of the first row


def _table() -> Lanes:
    """The weights of the states, as `fourcc.formats.families.trellis` has them."""
    quantile = NormalDist().inv_cdf
    ordered = np.array([round(quantile((k + 0.5) / STATES), 5) for k in range(STATES)], np.float32)
    return ordered[(np.arange(STATES) * 1529 + 11) % STATES]


TABLE = _table()


@operation(INTS, returns=FLOATS)
def weights_of_states(states: Lanes) -> Lanes:
    """The table's weight of each state, 0 .. 4095."""
    return TABLE[states]


@weights_of_states.lowered
def _(b: Builder, states: Value) -> Value:
    return gather(b, address_of(b, TABLE), states)


def trellis_kernel(bits: int) -> Kernel:
    """The kernel for codes of so many bits."""
    panel = _panel(bits)
    few = _few(bits)
    tile = choose_by_count(BLOCK_DECODERS, few, float_panels(panel))
    return Kernel(
        "native",
        FLOAT,
        tile,
        tile,
        _gather(bits),
        float_scratch,
        ("scale", "codes"),
        row_align=1 << SHIFT,
        decode=_decode(bits),
        unit=BLOCK_COLS,
    )


def _block_number(weights: int, row: int) -> int:
    """The number of the block that begins a row of blocks."""
    across: int = (load_word(weights + COLS) + (BLOCK_COLS - 1)) >> 2
    return (row >> SHIFT) * across


def _column(bits: int) -> Column:
    load, step = load_windows[bits], 2 * bits

    def column(codes: int, part: int, col: int, wrapped: int) -> Lanes:
        """The weights, before their scale, of sixteen rows: those of column `col` and part `part` of a block."""
        number = 4 * col + part
        weights: Lanes = weights_of_states(load(wrapped if number == SIXTEENS - 1 else codes + step * number))
        return weights

    return column


def _wrap(bits: int) -> Callable[[int, int], None]:
    size, step = 32 * bits, 2 * bits

    def wrap(codes: int, wrapped: int) -> None:
        """Writes the bytes of a ring's last sixteen codes, and behind them the ring's first ones."""
        store_word(wrapped, load_word(codes + (size - 8)) >> (64 - 8 * step))
        store_word(wrapped + step, load_word(codes))

    return wrap


def _panel(bits: int) -> PanelMaker:
    column, wrap, size = _column(bits), _wrap(bits), 32 * bits

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        cols, part, block = load_word(weights + COLS), (row >> 4) & 3, _block_number(weights, row)
        for left in range(0, cols, BLOCK_COLS):
            codes = load_word(weights + CODES) + size * block
            scale = floats_of(load_float16(load_word(weights + PARTS) + 2 * block))
            wrap(codes, scratch)
            for col in range(min(BLOCK_COLS, cols - left)):
                store(out + VECTOR * (left + col), multiply(scale, column(codes, part, col, scratch)))
            block += 1

    return panel


def _products(columns: int, bits: int) -> Tile[Stored]:
    """The product of sixteen rows with `columns` activations."""
    column_of, wrap, size = _column(bits), _wrap(bits), 32 * bits
    nothing = no_float_columns[columns]

    def products(source: Stored, cols: int, job: int, column: int, rows: int, row: int) -> None:
        (weights, scratch), stride = source, load_word(job + X_STRIDE)
        x, part, block = load_word(job + X) + column * stride, (row >> 4) & 3, _block_number(weights, row)
        total = nothing()
        for left in range(0, cols, BLOCK_COLS):
            codes = load_word(weights + CODES) + size * block
            scale = floats_of(load_float16(load_word(weights + PARTS) + 2 * block))
            wrap(codes, scratch)
            for col in range(BLOCK_COLS):  # zeros follow the last column's activation
                weight = multiply(scale, column_of(codes, part, col, scratch))
                total = multiply_add_columns(total, weight, x + 4 * (left + col), stride)
            block += 1
        store_rows(job, column, row, rows, total)

    return products


def _few(bits: int) -> KernelFunction:
    """The product with a few activations, four at a time, so each weight is decoded a quarter as often."""
    tiles = any_count(lambda columns: _products(columns, bits), (1, 4))

    def few(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        for row in range(first, last, ROWS):
            tiles((weights, scratch), cols, job, count, min(ROWS, last - row), row)

    return few


def _square(bits: int) -> Square:
    column, wrap, size = _column(bits), _wrap(bits), 32 * bits

    def square(weights: int, row: int, left: int, scratch: int) -> int:
        """Decodes sixteen rows of sixteen columns; returns the address of the first row."""
        blocks, part = (load_word(weights + COLS) + (BLOCK_COLS - 1)) >> 2, (row >> 4) & 3
        columns, rows = scratch + LINE, scratch + LINE + 16 * VECTOR
        for across in range(left >> 2, min(blocks, (left >> 2) + 4)):
            block = _block_number(weights, row) + across
            codes = load_word(weights + CODES) + size * block
            scale = floats_of(load_float16(load_word(weights + PARTS) + 2 * block))
            wrap(codes, scratch)
            for col in range(BLOCK_COLS):
                at = columns + VECTOR * (BLOCK_COLS * across - left + col)
                store(at, multiply(scale, column(codes, part, col, scratch)))
        transpose(columns, VECTOR, rows)
        return rows

    return square


def _store_sixteen(row: int, out: int, left: int, cols: int) -> None:
    """Stores up to sixteen columns of a row."""
    if left + 16 <= cols:
        store(out + 4 * left, load_floats(row))
    else:
        store_some_floats(out + 4 * left, load_floats(row), cols - left)


def _decode(bits: int) -> KernelFunction:
    square = _square(bits)

    def decode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, out, stride = load_word(weights + COLS), load_word(job + OUT), load_word(job + OUT_STRIDE)
        for row in range(first, last, ROWS):
            for left in range(0, cols, 16):
                rows = square(weights, row, left, scratch)
                for each in range(min(ROWS, last - row)):
                    _store_sixteen(rows + VECTOR * each, out + stride * (row + each), left, cols)

    return decode


def _gather(bits: int) -> KernelFunction:
    square = _square(bits)

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            out = load_word(job + OUT) + index * load_word(job + OUT_STRIDE)
            for left in range(0, cols, 16):
                found = square(weights, row - (row & 15), left, scratch)
                _store_sixteen(found + VECTOR * (row & 15), out, left, cols)

    return rows
