"""BF16: `plain_floats` with its own loads and stores, or the processor's bfloat16 products where it has them.

Such a product takes two numbers of a row at once, and activations rounded to bfloat16. With many activations it takes
half the time.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fourcc.kernels.descriptors import CODES, CODES_STRIDE, COLS, COUNT, PARTS, X_STRIDE, X, round_up
from fourcc.kernels.encoders.block_by_block import narrowed
from fourcc.kernels.kernel import Activation, Kernel
from fourcc.kernels.products.crossover import FLOAT_ROWS
from fourcc.kernels.products.panel_gemm import any_count, store_rows, tile_widths, two_panels
from fourcc.kernels.products.panels import ROWS, bytes_of_row, interleave, scratch_stride
from fourcc.kernels.products.plain_floats import float_kernel
from fourcc.kernels.products.signatures import Tile
from fourcc.kernels.simd.load_wide import load_bfloat16s, load_some_bfloat16s
from fourcc.kernels.simd.memory import VECTOR, load_floats, load_ints, load_word, store
from fourcc.kernels.simd.store_narrow import store_bfloat16s, store_nearest_bfloat16s, store_some_bfloat16s
from fourcc.kernels.simd.target import multiplies_bfloat16s, target
from fourcc.kernels.simd.tiles import multiply_add_pairs, no_float_columns, row_products

SIZE = 2  # bytes of a number


def _narrow(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Rounds activations to bfloat16; a few stay floats."""
    for row in range(first, last if load_word(job + COUNT) > FLOAT_ROWS else first):
        x = load_word(job + X) + row * load_word(job + X_STRIDE)
        out = load_word(job + CODES) + row * load_word(job + CODES_STRIDE)
        for col in range(0, round_up(load_word(weights + COLS)), 16):
            store_nearest_bfloat16s(out + SIZE * col, load_floats(x + 4 * col))


def _panel_bytes(cols: int) -> int:
    return ROWS * SIZE * round_up(cols)


def _panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
    """Interleaves sixteen rows by words of two neighbours."""
    cols = load_word(weights + COLS)
    length, stride = SIZE * cols, scratch_stride(SIZE * round_up(cols))
    for each in range(count):
        p, to = load_word(weights + PARTS) + (row + each) * length, scratch + each * stride
        for at in range(0, length, VECTOR):
            store(to + at, bytes_of_row(p, at, length))
    interleave(scratch, stride, (cols + 31) >> 5 << 4, out)


def _pair_tile(columns: int) -> Tile[int]:
    """The product of two panels with some activations at once."""
    nothing = no_float_columns[columns]

    def multiply(panel: int, cols: int, job: int, column: int, rows: int, row: int) -> None:
        stride, below = load_word(job + CODES_STRIDE), panel + _panel_bytes(cols)
        x = load_word(job + CODES) + column * stride
        first, second = nothing(), nothing()
        for pair in range((cols + 1) >> 1):
            at = VECTOR * pair
            first = multiply_add_pairs(first, load_ints(panel + at), x + 4 * pair, stride)
            second = multiply_add_pairs(second, load_ints(below + at), x + 4 * pair, stride)
        store_rows(job, column, row, rows, first)
        if rows > ROWS:
            store_rows(job, column, row + ROWS, rows - ROWS, second)

    return multiply


ROUNDED = Activation("bfloat16", _narrow, width=SIZE)
_plain = partial(float_kernel, row_products["bfloat16s"], load_bfloat16s, load_some_bfloat16s, SIZE)


def rounding_kernel() -> Kernel:
    """The kernel that rounds many activations to bfloat16."""
    products = any_count(_pair_tile, tile_widths(target().code_columns))
    return replace(_plain(two_panels(_panel, products, _panel_bytes)), activation=ROUNDED)


_PRODUCTS = rounding_kernel() if multiplies_bfloat16s() else _plain()
KERNEL = replace(_PRODUCTS, encoder=narrowed(store_bfloat16s, store_some_bfloat16s, SIZE))
