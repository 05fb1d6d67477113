"""Products with several activations: sixteen rows at a time become a panel in the thread's scratch memory.

A panel holds sixteen interleaved rows, so a vector register has one number (or four codes) of each row, and no sum
crosses lanes. It is made once and multiplied by all activations, up to 8 at a time in registers. Making it costs a
hundredth of a product with 512 activations, so the stored layout needs no change. With a few activations the panel
would cost too much. So they are multiplied without one, by packed rows, which are interleaved already
(`packed_small_n`).

Formats of integer codes have panels of codes, with a scale for each row and 32 columns, or 16 (`integer_product`); all
others have panels of floats (`float_product`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial

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
    X_STRIDE,
    X,
    round_up,
)
from fourcc.kernels.products.group_size import GROUPS_OF_32, GroupSize
from fourcc.kernels.products.panels import (
    ROWS,
    interleave,
    offsets_of,
    panel_bytes,
    scales_of,
    scratch_stride,
)
from fourcc.kernels.products.signatures import (
    BytesFor,
    PanelMaker,
    Source,
    Tile,
    Tiles,
    TilesFrom,
    WriteRow,
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

NARROWER = (4, 2, 1)  # activations at once, where fewer are left than the widest tile takes


def integer_scratch(cols: int, bits: int = 5) -> int:
    """Bytes of scratch memory that `integer_product` needs: two panels, and sixteen rows."""
    return 3 * panel_bytes(round_up(cols), bits) + ROWS * LINE


def float_scratch(cols: int) -> int:
    """Bytes of scratch memory that `float_product` needs: 16 rows and their panel, floats."""
    return 2 * ROWS * 4 * round_up(cols) + ROWS * LINE


# -- codes


def store_rows(job: int, column: int, row: int, rows: int, total: Lanes) -> None:
    """Stores the first `rows` (1 .. 16) results of some activations."""
    stride = load_word(job + OUT_STRIDE)
    out = load_word(job + OUT) + column * stride + 4 * row
    if rows >= ROWS:
        store_columns(out, stride, total)
    else:
        store_some_columns(out, stride, total, rows)


def _code_tile(columns: int, *, affine: bool, group: GroupSize) -> Tile[int]:
    """The product of two panels of codes with some activations at once.

    With two panels, four bytes of an activation meet 32 rows once they are in a register. The processor can load as
    often as it can multiply, so with one panel the loads would set the pace.
    """
    nothing, zeros = no_float_columns[columns], no_int_columns[columns]
    bits, locate_scales = group.bits, group.locate_scales
    more, fours = (1 << bits) - 1, 1 << (bits - 2)

    def multiply(panel: int, cols: int, job: int, column: int, rows: int, row: int) -> None:
        wide, x_stride = round_up(cols), load_word(job + CODES_STRIDE)
        x = load_word(job + CODES) + column * x_stride
        x_scales, corrections, sums, stride = locate_scales(job, column, wide)
        below = panel + panel_bytes(wide, bits)
        first, second = nothing(), nothing()
        for block in range((cols + more) >> bits):
            upper, lower = zeros(), zeros()
            for part in range(fours * block, fours * block + fours):
                upper = dot_columns(upper, load_bytes(panel + 64 * part), x + 4 * part, x_stride)
                lower = dot_columns(lower, load_bytes(below + 64 * part), x + 4 * part, x_stride)
            at, s = 4 * block, 64 * block
            first = scale_columns(
                first, upper, load_floats(scales_of(panel, wide) + s), x_scales + at, corrections + at, stride
            )
            second = scale_columns(
                second, lower, load_floats(scales_of(below, wide) + s), x_scales + at, corrections + at, stride
            )
            if affine:
                first = multiply_add_columns(first, load_floats(offsets_of(panel, wide, bits) + s), sums + at, stride)
                second = multiply_add_columns(second, load_floats(offsets_of(below, wide, bits) + s), sums + at, stride)
        store_rows(job, column, row, rows, first)
        if rows > ROWS:
            store_rows(job, column, row + ROWS, rows - ROWS, second)

    return multiply


def any_count(tile: Callable[[int], Tile[Source]], widths: Iterable[int]) -> Tiles[Source]:
    """The products of sixteen rows or more with any number of activations, as many at once as registers hold.

    Args:
        tile: (columns) -> the product with so many activations.
        widths: how many it takes at once, 1 among them.
    """
    from_column: TilesFrom[Source] = _no_more_columns
    for width in sorted(widths):
        from_column = _repeated(tile(width), width, from_column)

    def products(source: Source, cols: int, job: int, count: int, rows: int, row: int) -> None:
        from_column(source, cols, job, (0, count), rows, row)

    return products


def tile_widths(widest: int) -> set[int]:
    """How many activations are taken at once where registers hold up to `widest`."""
    return {each for each in NARROWER if each < widest} | {widest}


def _repeated(tile: Tile[Source], width: int, rest: TilesFrom[Source]) -> TilesFrom[Source]:
    """Takes `width` activations at a time while that many are left, and leaves the others to `rest`."""

    def products(source: Source, cols: int, job: int, columns: tuple[int, int], rows: int, row: int) -> None:
        column, count = columns
        while column + width <= count:
            tile(source, cols, job, column, rows, row)
            column += width
        rest(source, cols, job, (column, count), rows, row)

    return products


def _no_more_columns(source: object, cols: int, job: int, columns: tuple[int, int], rows: int, row: int) -> None:
    """Does nothing: all activations have been taken."""


@cache
def code_tiles(*, affine: bool, group: GroupSize) -> Tiles[int]:
    """The products of two panels of codes with any number of activations."""
    return any_count(partial(_code_tile, affine=affine, group=group), tile_widths(target().code_columns))


code_products = code_tiles(affine=False, group=GROUPS_OF_32)


def integer_product(panel: PanelMaker, *, affine: bool = False, group: GroupSize = GROUPS_OF_32) -> KernelFunction:
    """The product with several quantized activations.

    Args:
        panel: writes a panel of codes.
        affine: whether groups have an offset beside their scale.
        group: how many columns share a scale.
    """
    bits = group.bits
    return two_panels(panel, code_tiles(affine=affine, group=group), lambda cols: panel_bytes(round_up(cols), bits))


def two_panels(panel: PanelMaker, products: Tiles[int], size: BytesFor) -> KernelFunction:
    """The product with several activations, 32 rows at a time.

    Args:
        panel: writes a panel.
        products: those of two panels, one behind the other, with any number of activations.
        size: bytes of a panel. The sixteen rows that it is made from take as many, and a cache line each.
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


def packed_small_n(tile: Callable[[int], Tile[tuple[int, int]]], size: BytesFor) -> KernelFunction:
    """The product with a few quantized activations, straight from a packed layout of sixteen rows.

    Args:
        tile: (columns) -> the product with so many activations; its source is the address of sixteen packed rows, and
            scratch memory.
        size: bytes of sixteen packed rows.
    """
    products = any_count(tile, tile_widths(target().group_columns))

    def small_n(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        for row in range(first, last, ROWS):
            p = load_word(weights + PARTS) + (row >> 4) * size(cols)
            products((p, scratch), cols, job, count, min(ROWS, last - row), row)

    return small_n


# -- floats


def _float_tile(columns: int) -> Tile[int]:
    """The product of a panel of floats with some activations at once."""
    nothing = no_float_columns[columns]

    def multiply(panel: int, cols: int, job: int, column: int, rows: int, row: int) -> None:
        stride = load_word(job + X_STRIDE)
        x = load_word(job + X) + column * stride
        total = nothing()
        for col in range(cols):
            total = multiply_add_columns(total, load_floats(panel + 64 * col), x + 4 * col, stride)
        store_rows(job, column, row, rows, total)

    return multiply


float_products = any_count(_float_tile, tile_widths(target().float_columns))


def float_panels(panel: PanelMaker) -> KernelFunction:
    """The product with several activations that stay floats.

    Args:
        panel: writes a panel of floats.
    """

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        spare = scratch + ROWS * 4 * round_up(cols)
        for row in range(first, last, ROWS):
            rows = min(ROWS, last - row)
            panel(weights, row, rows, scratch, spare)
            float_products(scratch, cols, job, count, rows, row)

    return tile


def float_product(decode: WriteRow) -> KernelFunction:
    """`float_panels` of rows that are decoded one by one.

    Args:
        decode: writes a row's floats; anything that it writes beyond the last column is ignored.
    """

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        wide = round_up(load_word(weights + COLS))
        stride = scratch_stride(4 * wide)
        for each in range(count):
            decode(weights, row + each, scratch + stride * each)
        interleave(scratch, stride, wide, out)

    return float_panels(panel)
