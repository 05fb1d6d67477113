"""Products made from a function that decodes one block: the weights are decoded in registers and never stored.

Sixteen rows are worked on at once, one in each lane. Their bytes are interleaved first (a few instructions for 64 of
them), then the block's decoder runs on vectors: each value that it computes is that of sixteen rows, and each weight
goes into the product as soon as it is there. Nothing is asked of the function but that what it does, and in which
order, does not depend on the values it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.operands import COLS, LINE, OUT, OUT_STEP, PARTS, X, round_up
from fourcc.kernels.product import ROWS, float_panels, interleave
from fourcc.kernels.rows import one_or_several
from fourcc.kernels.simd.memory import (
    load_bytes,
    load_float,
    load_floats,
    load_word,
    prefetch,
    store,
    store_float,
    store_word,
)
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.tiles import multiply_add_columns, no_float_columns, store_some_columns, sum_columns
from fourcc.kernels.simd.traced import panel_operation, product_operation, wide_entries
from fourcc.kernels.trace import Source, UntraceableError, trace

Function = Callable[..., Any]
TURNS = 4  # totals that take the weights in turn, so that no sum waits for the one before
HEAD = 256  # bytes at the start of scratch memory: for each part its address, then for each that of its table
MAX_PARTS = HEAD // 16
Covers = Literal["block", "row", "matrix"]


@dataclass(frozen=True)
class BlockPart:
    """A stored part, as the block decoder's argument.

    Attributes:
        name: of the part.
        dtype: of an entry; fields (name, dtype, entries) of a record.
        count: entries of a block; of a part of the row, or of the whole matrix, all of them.
        covers: what they belong to.
    """

    name: str
    dtype: str | tuple[tuple[str, str, int], ...]
    count: int
    covers: Covers = "block"

    @property
    def nbytes(self) -> int:
        """Bytes of these entries."""
        if isinstance(self.dtype, str):
            return self.count * np.dtype(self.dtype).itemsize
        return self.count * sum(np.dtype(kind).itemsize * entries for _, kind, entries in self.dtype)

    @property
    def step(self) -> int:
        """Bytes from a block's entries to those of the next."""
        return self.nbytes if self.covers == "block" else 0

    def row_bytes(self, blocks: int) -> int:
        """Bytes of a row of so many blocks."""
        return self.nbytes if self.covers == "row" else self.step * blocks

    def source(self, index: int) -> Source | Sequence[tuple[str, Source]]:
        """What the decoder sees of it."""
        whole = self.covers == "matrix"
        if isinstance(self.dtype, str):
            return Source(index, self.dtype, self.count, whole=whole)
        if self.count != 1:
            raise UntraceableError(f"part {self.name!r} has {self.count} records where one is expected")
        fields, offset = [], 0
        for name, kind, entries in self.dtype:
            fields.append((name, Source(index, kind, entries, offset, whole=whole)))
            offset += np.dtype(kind).itemsize * entries
        return fields


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
    sizes = [part.step for part in parts]
    tables = {step.arguments[0]: step.arguments[1:3] for step in steps.steps if step.name == "part_table"}
    spread = _spread_all([_spread(index, part, len(parts), tables.get(index)) for index, part in enumerate(parts)])
    write = panel_operation(steps, sizes)
    panel = _panel(write, spread, width)
    several = float_panels(panel)
    ahead = _ahead_all([_ahead(index, part, len(parts)) for index, part in enumerate(parts) if part.step])
    one = _one(product_operation(steps, sizes), write, spread, ahead, width)

    def scratch(cols: int) -> int:
        blocks = -(-cols // width)
        spread = sum(2 * ROWS * _padded_bytes(part.row_bytes(blocks)) for part in parts if part.covers != "matrix")
        spread += sum(_table_bytes(count) for _, count in tables.values())
        return HEAD + spread + 64 * width + ROWS * 4 * max(round_up(cols), width * blocks)

    tile = one_or_several(one, several)
    gather = _gather(write, spread, width)
    return Kernel("fused", FLOAT, tile, tile, gather, scratch, tuple(part.name for part in parts))


def _padded_bytes(size: int) -> int:
    """Bytes of a row in scratch memory: one word more than it has, up to a whole vector."""
    return ((size + 4) + 63) // 64 * 64


def _table_bytes(count: int) -> int:
    """Bytes of a part in scratch memory whose entries are chosen by values: 32 bits each."""
    return -(-count // 16) * 64


def _spread(index: int, part: BlockPart, parts: int, table: tuple[str, int] | None) -> Function:
    """Puts a part's bytes where its block decoder finds them."""
    if part.covers != "matrix":
        return _spread_rows(index, part, parts)
    return _place(index) if table is None else _spread_table(index, parts, *table)


def _place(index: int) -> Function:
    """A part of the whole matrix is taken where it is."""

    def place(weights: int, row: int, count: int, blocks: int, at: int, table: int) -> int:  # noqa: ARG001
        store_word(table + 8 * index, load_word(weights + PARTS + 8 * index))
        return at

    return place


def _spread_table(index: int, parts: int, dtype: str, entries: int) -> Function:
    """Widens a part of the whole matrix whose entries are chosen by values."""
    widened, some_widened = wide_entries(dtype)
    whole, rest, size = entries // 16 * 16, entries % 16, np.dtype(dtype).itemsize
    nbytes = _table_bytes(entries)

    def spread(weights: int, row: int, count: int, blocks: int, at: int, table: int) -> int:  # noqa: ARG001
        source = load_word(weights + PARTS + 8 * index)
        for entry in range(0, whole, 16):
            store(at + 4 * entry, widened(source + size * entry))
        if rest:
            store(at + 4 * whole, some_widened(source + size * whole, rest))
        store_word(table + 8 * index, source)
        store_word(table + 8 * (parts + index), at)
        return at + nbytes

    return spread


def _spread_rows(index: int, part: BlockPart, parts: int) -> Function:
    """Interleaves a part's bytes of sixteen rows; what a short last block lacks becomes zero."""
    size, fixed = part.step, part.row_bytes(0)

    def spread(weights: int, row: int, count: int, blocks: int, at: int, table: int) -> int:
        source = load_word(weights + PARTS + 8 * index)
        there, wide = load_word(weights + PARTS + 8 * (parts + index)), _padded_bytes(fixed + size * blocks)
        rows = at + ROWS * wide
        for each in range(count):
            p = source + (row + each) * there
            for byte in range(0, wide, 64):
                if byte + 64 <= there:
                    store(rows + each * wide + byte, load_bytes(p + byte))
                else:
                    store(rows + each * wide + byte, load_some_bytes(p + byte, max(0, there - byte)))
        interleave(rows, wide, wide >> 2, at)
        store_word(table + 8 * index, at)
        return rows

    return spread


def _spread_all(spreads: Sequence[Function]) -> Function:
    """One function that does what several do, one after the other; each begins where the one before says."""
    first, *others = spreads
    if not others:
        return first
    rest = _spread_all(others)

    def both(weights: int, row: int, count: int, blocks: int, at: int, table: int) -> int:
        return rest(weights, row, count, blocks, first(weights, row, count, blocks, at, table), table)  # type: ignore[no-any-return]

    return both


def _ahead(index: int, part: BlockPart, parts: int) -> Function:
    """Asks for a block's bytes of sixteen rows, which are interleaved next: sixteen short streams are not foreseen."""
    size = part.step

    def ahead(weights: int, row: int, block: int) -> None:
        step = load_word(weights + PARTS + 8 * (parts + index))
        offset = size * block
        at = load_word(weights + PARTS + 8 * index) + row * step + offset
        if offset & (LINE - 1) < size:  # a cache line that the block before did not reach
            for each in range(ROWS):
                prefetch(at + each * step)

    return ahead


def _nothing_ahead(weights: int, row: int, block: int) -> None:
    """Asks for nothing."""


def _ahead_all(each: Sequence[Function]) -> Function:
    """One function that does what several do."""
    if not each:
        return _nothing_ahead
    first, rest = each[0], _ahead_all(each[1:])

    def both(weights: int, row: int, block: int) -> None:
        first(weights, row, block)
        rest(weights, row, block)

    return both


def _panel(write: Function, spread: Function, width: int) -> Function:
    """The maker of panels for `float_panels`."""

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        blocks = (load_word(weights + COLS) + (width - 1)) // width
        spread(weights, row, count, blocks, scratch + HEAD, scratch)
        for block in range(blocks):
            write(scratch, block, out + 64 * width * block)

    return panel


def _one(product: Function, write: Function, spread: Function, ahead: Function, width: int) -> Entry:
    """The product with one activation; of a short last block only the columns that there are."""
    zeros = no_float_columns[TURNS]

    def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, x = load_word(weights + COLS), load_word(job + X)
        whole = cols // width
        blocks = (cols + (width - 1)) // width
        for row in range(first, last, ROWS):
            count = min(ROWS, last - row)
            spare = spread(weights, row, count, blocks, scratch + HEAD, scratch)
            totals = zeros()
            for block in range(whole):
                ahead(weights, row + ROWS, block)
                totals = product(totals, scratch, block, x + 4 * width * block)
            total = sum_columns(totals)
            if whole < blocks:
                write(scratch, whole, spare)
                for col in range(whole * width, cols):
                    weight = load_floats(spare + 64 * (col - whole * width))
                    total = multiply_add_columns(total, weight, x + 4 * col, 0)
            store_some_columns(load_word(job + OUT) + 4 * row, 0, total, count)

    return one


def _gather(write: Function, spread: Function, width: int) -> Entry:
    """Decodes rows, one at a time: that of the first lane."""

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        blocks = (cols + (width - 1)) // width
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            out = load_word(job + OUT) + index * load_word(job + OUT_STEP)
            spare = spread(weights, row, 1, blocks, scratch + HEAD, scratch)
            for block in range(blocks):
                write(scratch, block, spare)
                for col in range(width * block, min(cols, width * block + width)):
                    store_float(out + 4 * col, load_float(spare + 64 * (col - width * block)))

    return rows
