"""Products made from a function that decodes one block: the weights are decoded in registers and never stored.

Sixteen rows are worked on at once, one in each lane. Their bytes are interleaved first
(`fourcc.kernels.fusing.interleave_parts`: a few instructions for 64 of them), then the block's decoder runs on vectors:
each value that it computes is that of sixteen rows, and each weight goes into the product as soon as it is there.
Nothing is asked of the function but that what it does, and in which order, does not depend on the values it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, COUNT, OUT, OUT_STRIDE, X_STRIDE, X, round_up
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.interleave_parts import DATA, MAX_PARTS, Spreading, spreading
from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.ir_ops import panel_operation, product_operation
from fourcc.kernels.fusing.tracer import trace
from fourcc.kernels.kernel import FLOAT, Careful, Kernel, has_large_floats
from fourcc.kernels.products.crossover import BLOCK_DECODERS
from fourcc.kernels.products.panel_gemm import any_count, float_panels, store_rows
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.products.row_gemv import choose_by_count
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store_float
from fourcc.kernels.simd.tiles import halve_columns, multiply_add_columns, no_float_columns

Function = Callable[..., Any]
TOTALS = 4  # of several activations one each; of one, four that take the weights in turn: no sum waits for another


def fused(
    decode_block: Function, width: int, parts: Sequence[BlockPart], params: Mapping[str, object] | None = None
) -> Kernel:
    """The kernel of a format of blocks along a row.

    Args:
        decode_block: (part, …, weights) writes the weights of one block; each part is the block's entries, of a record
            a mapping of its fields.
        width: columns of a block.
        parts: the stored parts, in the order of the arguments.
        params: of the layout, which the function takes by name.

    Raises:
        UntraceableError: what the function does depends on the values it sees.
    """
    if len(parts) > MAX_PARTS:
        raise UntraceableError(f"it takes {len(parts)} parts, of at most {MAX_PARTS}")
    steps = trace(decode_block, [part.source(index) for index, part in enumerate(parts)], width, params)
    tables = {step.arguments[0]: step.arguments[1:3] for step in steps.steps if step.name == "part_table"}
    ways = spreading(parts, tables)
    sizes = [part.step for part in parts]
    write = _once(panel_operation(steps, sizes))
    some = partial(_some_columns, product=partial(product_operation, steps, sizes), write=write, ways=ways, width=width)
    few, several = _few(any_count(some, (1, TOTALS))), float_panels(_panel(write, ways.whole, width))
    tile = choose_by_count(BLOCK_DECODERS, few, several)

    def scratch(cols: int) -> int:
        blocks = -(-cols // width)
        return DATA + ways.nbytes(blocks) + 64 * width + ROWS * 4 * max(round_up(cols), width * blocks)

    gather = _gather(write, ways.whole, width)
    names, careful = tuple(part.name for part in parts), Careful(has_large_floats, several)
    return Kernel("fused", FLOAT, tile, tile, gather, scratch, names, careful=careful)


def _once(operation: Function) -> Function:
    """The operation as a function of its own, which many places call: what is long is compiled once then."""

    def write(scratch: int, block: int, out: int) -> None:
        operation(scratch, block, out)

    return write


def _panel(write: Function, spread: Function, width: int) -> Function:
    """The maker of panels for `float_panels`."""

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        blocks = (load_word(weights + COLS) + (width - 1)) // width
        spread(weights, row, count, blocks, scratch + DATA, scratch)
        for block in range(blocks):
            write(scratch, block, out + 64 * width * block)

    return panel


def _some_columns(columns: int, *, product: Function, write: Function, ways: Spreading, width: int) -> Function:
    """The product of sixteen rows with some activations; of a short last block only the columns that there are."""
    add_product, zeros, added_up = product(columns), no_float_columns[TOTALS], _added_up(TOTALS // columns)
    before, stream, ahead, below, chunk = ways.before, ways.stream, ways.ahead, ways.below, ways.chunk

    def multiply(source: tuple[int, int], cols: int, job: int, column: int, rows: int, row: int) -> None:
        (weights, scratch), step = source, load_word(job + X_STRIDE)
        x, whole, blocks = load_word(job + X) + column * step, cols // width, (cols + (width - 1)) // width
        at = before(weights, row, rows, blocks, scratch + DATA, scratch)
        totals, spare = zeros(), at
        for start in range(0, blocks, chunk):
            spare = stream(weights, row, rows, start, at, scratch)
            later = start + chunk < blocks
            shift, place = (chunk, row) if later else (-start, row + ROWS)
            for block in range(start, min(start + chunk, whole)):
                ahead(weights, place, block + shift)
                below(weights, row + ROWS, block)
                totals = add_product(totals, scratch, block, x + 4 * width * block, step)
        total = added_up(totals)
        if whole < blocks:
            write(scratch, whole, spare)
            for col in range(whole * width, cols):
                weight = load_floats(spare + 64 * (col - whole * width))
                total = multiply_add_columns(total, weight, x + 4 * col, step)
        store_rows(job, column, row, rows, total)

    return multiply


def _added_up(turns: int) -> Function:
    """Adds up the totals of each activation, which took its weights in turn."""
    if turns == 1:
        return _as_it_is
    rest = _added_up(turns // 2)

    def added(totals: Lanes) -> Lanes:
        return rest(halve_columns(totals))  # type: ignore[no-any-return]

    return added


def _as_it_is(totals: Lanes) -> Lanes:
    """Totals of which each activation has one."""
    return totals


def _few(products: Function) -> KernelFunction:
    """The product with a few activations, four at once: so often is a block decoded less."""

    def few(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, count = load_word(weights + COLS), load_word(job + COUNT)
        for row in range(first, last, ROWS):
            products((weights, scratch), cols, job, count, min(ROWS, last - row), row)

    return few


def _gather(write: Function, spread: Function, width: int) -> KernelFunction:
    """Decodes rows, one at a time: that of the first lane."""

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        blocks = (cols + (width - 1)) // width
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            out = load_word(job + OUT) + index * load_word(job + OUT_STRIDE)
            spare = spread(weights, row, 1, blocks, scratch + DATA, scratch)
            for block in range(blocks):
                write(scratch, block, spare)
                for col in range(width * block, min(cols, width * block + width)):
                    store_float(out + 4 * col, load_float(spare + 64 * (col - width * block)))

    return rows
