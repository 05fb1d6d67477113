"""Products fused with a format's block decoder: the weights are decoded in registers and never stored.

The kernel works on sixteen rows at once, one a lane. It interleaves their bytes first
(`fourcc.kernels.fusing.interleave_parts`: a few instructions for 64 bytes). Then the block decoder runs on vectors: a
value that it computes holds sixteen rows, and a weight goes into the product as soon as it is decoded. The decoder's
control flow must not depend on data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, COUNT, OUT, OUT_STRIDE, PARTS, WORD, X_STRIDE, X, round_up
from fourcc.kernels.fusing.costs import operations
from fourcc.kernels.fusing.interleave_parts import (
    DATA,
    MAX_PARTS,
    Interleave,
    PartInterleaving,
    Place,
    part_interleaving,
)
from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.ir_ops import panel_operation, product_operation
from fourcc.kernels.fusing.sparse_rows import add_sparse_products, add_sparse_weights
from fourcc.kernels.fusing.stored_parts import DecoderPart, stored, tables_of
from fourcc.kernels.fusing.tracer import BlockDecoder, trace
from fourcc.kernels.fusing.units import blocks_of_unit
from fourcc.kernels.kernel import FLOAT, Careful, Kernel, has_large_floats
from fourcc.kernels.products.crossover import BLOCK_DECODERS
from fourcc.kernels.products.panel_gemm import any_count, float_panels, store_rows
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.products.row_gemv import choose_by_count
from fourcc.kernels.products.signatures import PanelMaker, Tile, Tiles
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store_float
from fourcc.kernels.simd.operation import Operation
from fourcc.kernels.simd.tiles import halve_columns, multiply_add_columns, no_float_columns

WriteUnit = Callable[[int, int, int, int], None]  # (weights, scratch, unit, out) decodes sixteen rows as a panel
StoredRows = tuple[int, int]  # address of the weights, scratch memory
PANEL_SHIFT, FLOAT_SHIFT = 6, 2  # a row's next weight is 64 bytes further in a panel, 4 where its weights are decoded
TOTALS = 4  # sums in registers: one for each of four activations, or four for a single one, so no sum waits for another


def fused(
    decode_block: BlockDecoder,
    width: int,
    parts: Sequence[DecoderPart],
    params: Mapping[str, object] | None = None,
    blocks: int | None = None,
    *,
    extra: bool = False,
) -> Kernel:
    """The kernel of a format of blocks along a row.

    Args:
        decode_block: (part, …, weights) writes the weights of one block.
        width: columns of a block.
        parts: the stored parts of one block, in the order of the arguments.
        params: the layout's parameters, which the function takes by name.
        blocks: neighbouring blocks that are decoded at once, a unit; None: as many as `units.blocks_of_unit` says.
        extra: whether a matrix has sparse weights, whose descriptor's address follows those of its parts.

    Raises:
        UntraceableError: the function cannot be traced; the message says why, and in which line.
    """
    if len(parts) > MAX_PARTS:
        raise UntraceableError(f"it takes {len(parts)} parts, of at most {MAX_PARTS}")
    blocks = blocks_of_unit(decode_block, width, parts, params) if blocks is None else blocks
    units, width = [stored(part, index, blocks) for index, part in enumerate(parts)], width * blocks
    traced = trace(decode_block, [each for unit in units for each in unit.arguments], width // blocks, params, blocks)
    interleaving = part_interleaving(units, tables_of(traced, units))
    strides = [unit.stride for unit in units]
    write = _as_function(panel_operation(traced, strides), interleaving.place)
    product = partial(product_operation, traced, strides)
    columns = partial(_columns, product=product, write=write, interleaving=interleaving, width=width)
    few = _without_panels(any_count(columns, (1, TOTALS)))
    panel, gather = _panel(write, interleaving.rows, width), _gather(write, interleaving.rows, width)
    if extra:
        at = PARTS + 2 * WORD * len(parts)
        few, panel, gather = _few_with_sparse(few, at), _panel_with_sparse(panel, at), _gather_with_sparse(gather, at)
    several = float_panels(panel)
    tile = choose_by_count(BLOCK_DECODERS, few, several)

    def scratch(cols: int) -> int:
        count = -(-cols // width)
        return DATA + interleaving.nbytes(count) + 64 * width + ROWS * 4 * max(round_up(cols), width * count)

    names, careful = tuple(unit.name for unit in units), Careful(has_large_floats, several)
    cost = operations(traced)
    return Kernel("fused", FLOAT, tile, tile, gather, scratch, names, careful=careful, unit=width, operations=cost)


def _as_function(operation: Operation, place: Place) -> WriteUnit:
    """The operation as a function that many places call, so long code is compiled only once."""

    def write(weights: int, scratch: int, unit: int, out: int) -> None:
        place(weights, scratch, unit)
        operation(scratch, unit, out)

    return write


def _panel(write: WriteUnit, interleave: Interleave, width: int) -> PanelMaker:
    """The function that makes panels for `float_panels`."""

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        blocks = (load_word(weights + COLS) + (width - 1)) // width
        interleave(weights, row, count, blocks, scratch + DATA, scratch)
        for block in range(blocks):
            write(weights, scratch, block, out + 64 * width * block)

    return panel


def _columns(
    columns: int, *, product: Callable[[int], Operation], write: WriteUnit, interleaving: PartInterleaving, width: int
) -> Tile[StoredRows]:
    """The product of sixteen rows with `columns` activations; a short last block counts only the columns it has."""
    add_product, zeros, sum_up = product(columns), no_float_columns[TOTALS], _sum_up(TOTALS // columns)
    interleave, stream, chunk = interleaving.unstreamed, interleaving.stream, interleaving.chunk
    prefetch_streamed, prefetch_unstreamed = interleaving.prefetch_streamed, interleaving.prefetch_unstreamed
    set_places = interleaving.place

    def multiply(source: StoredRows, cols: int, job: int, column: int, rows: int, row: int) -> None:
        (weights, scratch), stride = source, load_word(job + X_STRIDE)
        x, whole, blocks = load_word(job + X) + column * stride, cols // width, (cols + (width - 1)) // width
        at = interleave(weights, row, rows, blocks, scratch + DATA, scratch)
        totals, spare = zeros(), at
        for start in range(0, blocks, chunk):
            spare = stream(weights, row, rows, start, at, scratch)
            later = start + chunk < blocks
            shift, place = (chunk, row) if later else (-start, row + ROWS)
            for block in range(start, min(start + chunk, whole)):
                prefetch_streamed(weights, place, block + shift)
                prefetch_unstreamed(weights, row + ROWS, block)
                set_places(weights, scratch, block)
                totals = add_product(totals, scratch, block, x + 4 * width * block, stride)
        total = sum_up(totals)
        if whole < blocks:
            write(weights, scratch, whole, spare)
            for col in range(whole * width, cols):
                weight = load_floats(spare + 64 * (col - whole * width))
                total = multiply_add_columns(total, weight, x + 4 * col, stride)
        store_rows(job, column, row, rows, total)

    return multiply


def _sum_up(sums: int) -> Callable[[Lanes], Lanes]:
    """The function that adds up the `sums` totals of each activation, a power of two."""
    if sums == 1:
        return _single_total
    rest = _sum_up(sums // 2)

    def added(totals: Lanes) -> Lanes:
        return rest(halve_columns(totals))

    return added


def _single_total(totals: Lanes) -> Lanes:
    """The totals of activations that have one each."""
    return totals


def _without_panels(products: Tiles[StoredRows]) -> KernelFunction:
    """The product with a few activations, four at a time, so each block is decoded a quarter as often."""

    def few(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        for row in range(first, last, ROWS):
            products((weights, scratch), cols, job, count, min(ROWS, last - row), row)

    return few


def _gather(write: WriteUnit, interleave: Interleave, width: int) -> KernelFunction:
    """The kernel that decodes rows one at a time, in the first lane."""

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        blocks = (cols + (width - 1)) // width
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            out = load_word(job + OUT) + index * load_word(job + OUT_STRIDE)
            spare = interleave(weights, row, 1, blocks, scratch + DATA, scratch)
            for block in range(blocks):
                write(weights, scratch, block, spare)
                for col in range(width * block, min(cols, width * block + width)):
                    store_float(out + 4 * col, load_float(spare + 64 * (col - width * block)))

    return rows


# -- sparse weights; `at` is where the matrix's descriptor has the address of theirs


def _few_with_sparse(few: KernelFunction, at: int) -> KernelFunction:
    """The product with a few activations; those of sparse weights are added to it."""

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        for row in range(first, last, ROWS):  # they hide behind the next rows' decoding
            few(weights, job, row, min(last, row + ROWS), scratch)
            add_sparse_products(load_word(weights + at), job, row, min(last, row + ROWS), scratch)

    return tile


def _panel_with_sparse(panel: PanelMaker, at: int) -> PanelMaker:
    """The function that makes panels, with the sparse weights in them."""

    def maker(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        panel(weights, row, count, out, scratch)
        for each in range(count):
            add_sparse_weights(load_word(weights + at), row + each, out + 4 * each, PANEL_SHIFT)

    return maker


def _gather_with_sparse(gather: KernelFunction, at: int) -> KernelFunction:
    """The kernel that decodes rows, and adds their sparse weights."""

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        gather(weights, job, first, last, scratch)
        listed = load_word(job + X)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            out = load_word(job + OUT) + index * load_word(job + OUT_STRIDE)
            add_sparse_weights(load_word(weights + at), row, out, FLOAT_SHIFT)

    return rows
