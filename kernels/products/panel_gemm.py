"""Products of a matrix with several activations: 16 rows at a time, made into a panel in the thread's scratch memory.

A panel holds 16 rows interleaved, so that one vector register has one number (or four codes) of each row and no sum
ever crosses lanes. It is made once and multiplied by all activations, up to 8 at a time in registers; its cost is a
hundredth of a product with 512 activations, and it is why the stored layout serves as it is. A few activations, for
which that is much, meet rows that are packed like that anyway with no panel in between (`products_of_groups`).

Formats of integer codes make panels of codes, with a scale for each row and 32 columns, or 16 (`integer_product`); all
others make panels of floats (`float_product`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import (
    CODES,
    CODES_STRIDE,
    COLS,
    COUNT,
    LINE,
    OUT,
    OUT_STRIDE,
    PARTS,
    SCALES,
    SCALES_STRIDE,
    SUMS,
    X_STRIDE,
    ZERO_CORRECTIONS,
    X,
    round_up,
)
from fourcc.kernels.products.panels import (
    ROWS,
    apart,
    interleave,
    means_of,
    panel_bytes,
    scales_of,
)
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_bytes, load_floats, load_word
from fourcc.kernels.simd.target import target
from fourcc.kernels.simd.tiles import (
    dot_columns,
    multiply_add_columns,
    no_float_columns,
    no_int_columns,
    scale_columns,
    store_columns,
    store_some_columns,
)

MOST = 24  # activations, above which panels are faster even where rows are packed
NARROWER = (4, 2, 1)  # activations at once, of those that are left
Function = Callable[..., Any]


def integer_scratch(cols: int, bits: int = 5) -> int:
    """Bytes of scratch memory that `integer_product` needs: two panels, and sixteen rows."""
    return 3 * panel_bytes(round_up(cols), bits) + ROWS * LINE


def float_scratch(cols: int) -> int:
    """Bytes of scratch memory that `float_product` needs: 16 rows and their panel, floats."""
    return 2 * ROWS * 4 * round_up(cols) + ROWS * LINE


# -- codes


def store_rows(job: int, column: int, row: int, rows: int, total: Lanes) -> None:
    """Stores the first `rows` (1 .. 16) results of some activations."""
    step = load_word(job + OUT_STRIDE)
    out = load_word(job + OUT) + column * step + 4 * row
    if rows >= ROWS:
        store_columns(out, step, total)
    else:
        store_some_columns(out, step, total, rows)


@dataclass(frozen=True)
class Reach:
    """How many columns a scale holds for.

    Attributes:
        bits: 2^`bits` columns.
        numbers: (job, column, wide) -> where an activation's steps, offsets and sums are for so many columns each, and
            the bytes from one activation's to the next one's.
    """

    bits: int
    numbers: Function


def _numbers_of_32(job: int, column: int, wide: int) -> tuple[int, int, int, int]:  # noqa: ARG001
    step = load_word(job + SCALES_STRIDE)
    at = column * step
    return load_word(job + SCALES) + at, load_word(job + ZERO_CORRECTIONS) + at, load_word(job + SUMS) + at, step


THIRTY_TWO = Reach(5, _numbers_of_32)


def _code_columns(columns: int, *, affine: bool, reach: Reach) -> Function:
    """The product of two panels of codes with some activations at once.

    Two, so that four bytes of an activation, once they are in a register, meet 32 rows: the processor has as many loads
    as it has products, and would run out of loads first.
    """
    nothing, zeros = no_float_columns[columns], no_int_columns[columns]
    bits, numbers = reach.bits, reach.numbers
    more, fours = (1 << bits) - 1, 1 << (bits - 2)

    def multiply(panel: int, cols: int, job: int, column: int, rows: int, row: int) -> None:
        wide, x_step = round_up(cols), load_word(job + CODES_STRIDE)
        x = load_word(job + CODES) + column * x_step
        steps, offsets, sums, step = numbers(job, column, wide)
        below = panel + panel_bytes(wide, bits)
        first, second = nothing(), nothing()
        for block in range((cols + more) >> bits):
            upper, lower = zeros(), zeros()
            for part in range(fours * block, fours * block + fours):
                upper = dot_columns(upper, load_bytes(panel + 64 * part), x + 4 * part, x_step)
                lower = dot_columns(lower, load_bytes(below + 64 * part), x + 4 * part, x_step)
            at, s = 4 * block, 64 * block
            first = scale_columns(first, upper, load_floats(scales_of(panel, wide) + s), steps + at, offsets + at, step)
            second = scale_columns(
                second, lower, load_floats(scales_of(below, wide) + s), steps + at, offsets + at, step
            )
            if affine:
                first = multiply_add_columns(first, load_floats(means_of(panel, wide, bits) + s), sums + at, step)
                second = multiply_add_columns(second, load_floats(means_of(below, wide, bits) + s), sums + at, step)
        store_rows(job, column, row, rows, first)
        if rows > ROWS:
            store_rows(job, column, row + ROWS, rows - ROWS, second)

    return multiply


def all_columns(multiply: Callable[[int], Function], widths: Iterable[int]) -> Function:
    """Products of sixteen rows or more with any number of activations, as many at once as registers hold.

    Args:
        multiply: columns -> (panel, cols, job, column, rows, row), the product with so many.
        widths: how many it takes at once, 1 among them.

    Returns:
        (panel, cols, job, count, rows, row), the products with `count`.
    """
    from_column = _no_more_columns
    for width in sorted(widths):
        from_column = _so_many_at_once(multiply(width), width, from_column)

    def products(panel: Any, cols: int, job: int, count: int, rows: int, row: int) -> None:
        from_column(panel, cols, job, (0, count), rows, row)

    return products


def up_to_widest(widest: int) -> set[int]:
    """How many activations are taken at once where registers hold so many."""
    return {each for each in NARROWER if each < widest} | {widest}


def _so_many_at_once(multiply: Function, width: int, rest: Function) -> Function:
    """Products of `width` activations, from a column on, as often as there are so many; then the rest."""

    def products(panel: Any, cols: int, job: int, columns: tuple[int, int], rows: int, row: int) -> None:
        column, count = columns
        while column + width <= count:
            multiply(panel, cols, job, column, rows, row)
            column += width
        rest(panel, cols, job, (column, count), rows, row)

    return products


def _no_more_columns(panel: Any, cols: int, job: int, columns: tuple[int, int], rows: int, row: int) -> None:
    """What is left when all have been taken: nothing."""


@cache
def products_of_codes(*, affine: bool, reach: Reach) -> Function:
    """Products of two panels of codes with any number of activations."""
    return all_columns(partial(_code_columns, affine=affine, reach=reach), up_to_widest(target().code_columns))


code_products = products_of_codes(affine=False, reach=THIRTY_TWO)


def integer_product(panel: Function, *, affine: bool = False, reach: Reach = THIRTY_TWO) -> KernelFunction:
    """The product with several quantized activations.

    Args:
        panel: (weights, row, count, panel, scratch) makes the panel of `count` rows from `row` on.
        affine: whether blocks have a mean beside their scale.
        reach: of a scale.
    """
    bits = reach.bits
    return two_panels(
        panel, products_of_codes(affine=affine, reach=reach), lambda cols: panel_bytes(round_up(cols), bits)
    )


def two_panels(panel: Function, products: Function, size: Function) -> KernelFunction:
    """The product with several activations, 32 rows at a time.

    Args:
        panel: as for `integer_product`.
        products: of two panels with any number of activations.
        size: (cols) -> bytes of a panel, and of the sixteen rows that it is made from, but for a line each.
    """

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        below = scratch + size(cols)
        spare = below + size(cols)
        for row in range(first, last, 2 * ROWS):
            rows = min(2 * ROWS, last - row)
            panel(weights, row, min(rows, ROWS), scratch, spare)
            if rows > ROWS:
                panel(weights, row + ROWS, rows - ROWS, below, spare)
            products(scratch, cols, job, count, rows, row)

    return tile


# -- codes, a few activations


def products_of_groups(multiply: Callable[[int], Function], size: Function) -> KernelFunction:
    """The product with a few quantized activations, straight from a packed layout of sixteen rows.

    Args:
        multiply: columns -> ((address of sixteen packed rows, scratch), cols, job, column, rows, row), the product with
            so many.
        size: (cols) -> bytes of sixteen packed rows.
    """
    products = all_columns(multiply, up_to_widest(target().group_columns))

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        for row in range(first, last, ROWS):
            p = load_word(weights + PARTS) + (row >> 4) * size(cols)
            products((p, scratch), cols, job, count, min(ROWS, last - row), row)

    return tile


# -- floats


def _float_columns(columns: int) -> Function:
    """The product of a panel of floats with some activations at once."""
    nothing = no_float_columns[columns]

    def multiply(panel: int, cols: int, job: int, column: int, rows: int, row: int) -> None:
        step = load_word(job + X_STRIDE)
        x = load_word(job + X) + column * step
        total = nothing()
        for col in range(cols):
            total = multiply_add_columns(total, load_floats(panel + 64 * col), x + 4 * col, step)
        store_rows(job, column, row, rows, total)

    return multiply


float_products = all_columns(_float_columns, up_to_widest(target().float_columns))


def float_panels(panel: Function) -> KernelFunction:
    """The product with several activations kept as floats.

    Args:
        panel: (weights, row, count, panel, scratch) makes the panel of `count` rows from `row` on.
    """

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        spare = scratch + ROWS * 4 * round_up(cols)
        for row in range(first, last, ROWS):
            rows = min(ROWS, last - row)
            panel(weights, row, rows, scratch, spare)
            float_products(scratch, cols, job, count, rows, row)

    return tile


def float_product(decode: Function) -> KernelFunction:
    """`float_panels` of rows that are decoded one by one.

    Args:
        decode: (weights, row, out) writes a row's floats; what it writes beyond the last column is not read.
    """

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        wide = round_up(load_word(weights + COLS))
        far = apart(4 * wide)
        for each in range(count):
            decode(weights, row + each, scratch + far * each)
        interleave(scratch, far, wide, out)

    return float_panels(panel)
