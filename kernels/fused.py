"""Products made from a function that decodes one block: the weights are decoded in registers and never stored.

Sixteen rows are worked on at once, one in each lane. Their bytes are interleaved first (a few instructions for 64 of
them), then the block's decoder runs on vectors: each value that it computes is that of sixteen rows, and each weight
goes into the product as soon as it is there. Nothing is asked of the function but that what it does, and in which
order, does not depend on the values it sees.

The product with one activation interleaves some blocks at a time, so that they are still in the nearest cache when they
are decoded, and asks for the next ones meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, Literal

import numpy as np

from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.operands import COLS, LINE, OUT, OUT_STEP, PARTS, X, round_up
from fourcc.kernels.panels import ROWS
from fourcc.kernels.product import float_panels
from fourcc.kernels.rows import one_or_several
from fourcc.kernels.simd.memory import (
    load_float,
    load_floats,
    load_word,
    prefetch_second,
    store,
    store_float,
    store_word,
)
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.tiles import (
    multiply_add_columns,
    no_float_columns,
    store_some_columns,
    sum_columns,
    transpose,
)
from fourcc.kernels.simd.traced import panel_operation, product_operation, wide_entries
from fourcc.kernels.trace import Source, UntraceableError, trace

Function = Callable[..., Any]
TURNS = 4  # totals that take the weights in turn, so that no sum waits for the one before
HEAD = 256  # bytes at the start of scratch memory: for each part its address, then for each that of its table
MAX_PARTS = HEAD // 16
DATA = HEAD + LINE * 16  # where they begin; before that, room for 64 bytes of each row
CHUNK = 512  # bytes of a row, or more, that are interleaved at a time
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
    spreads = [_spread(index, part, len(parts), tables.get(index)) for index, part in enumerate(parts)]
    spread, write = _spread_all(spreads), panel_operation(steps, sizes)
    several = float_panels(_panel(write, spread, width))
    chunk = _chunk(max(sizes))
    streamed = [index for index, size in enumerate(sizes) if size and size * chunk % LINE == 0]
    before = _spread_all([each for index, each in enumerate(spreads) if index not in streamed])
    stream = _stream_all([_stream(index, sizes[index], len(parts), chunk) for index in streamed])
    ahead = _ahead_all([_ahead(index, sizes[index], len(parts)) for index in streamed])
    rest = [index for index, size in enumerate(sizes) if size and index not in streamed]
    below = _ahead_all([_ahead(index, sizes[index], len(parts)) for index in rest])
    one = _one(product_operation(steps, sizes), write, (before, stream, ahead, below), width, chunk)

    def scratch(cols: int) -> int:
        blocks = -(-cols // width)
        spread = sum(ROWS * _padded_bytes(part.row_bytes(blocks + chunk)) for part in parts if part.covers != "matrix")
        spread += sum(_table_bytes(count) for _, count in tables.values())
        return DATA + spread + 64 * width + ROWS * 4 * max(round_up(cols), width * blocks)

    tile = one_or_several(one, several)
    gather = _gather(write, spread, width)
    return Kernel("fused", FLOAT, tile, tile, gather, scratch, tuple(part.name for part in parts))


def _padded_bytes(size: int) -> int:
    """Bytes of a row in scratch memory: one word more than it has, up to a whole vector."""
    return ((size + 4) + 63) // 64 * 64


def _chunk(size: int) -> int:
    """Blocks that are interleaved at a time, for blocks of so many bytes: those of whole cache lines."""
    if not size:
        return 1
    period = LINE // gcd(size, LINE)
    return period * -(-CHUNK // (size * period))


def _bring(source: int, step: int, left: int, count: int, out: int, scratch: int) -> None:
    """Interleaves 64 bytes of some rows, `left` of which are there; what is missing becomes zero."""
    if count == ROWS and left >= LINE:
        transpose(source, step, out)
        return
    for each in range(count):
        store(scratch + HEAD + LINE * each, load_some_bytes(source + each * step, max(0, min(LINE, left))))
    transpose(scratch + HEAD, LINE, out)


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

    def place(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:  # noqa: ARG001
        store_word(scratch + 8 * index, load_word(weights + PARTS + 8 * index))
        return at

    return place


def _spread_table(index: int, parts: int, dtype: str, entries: int) -> Function:
    """Widens a part of the whole matrix whose entries are chosen by values."""
    widened, some_widened = wide_entries(dtype)
    whole, rest, size = entries // 16 * 16, entries % 16, np.dtype(dtype).itemsize
    nbytes = _table_bytes(entries)

    def spread(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:  # noqa: ARG001
        source = load_word(weights + PARTS + 8 * index)
        for entry in range(0, whole, 16):
            store(at + 4 * entry, widened(source + size * entry))
        if rest:
            store(at + 4 * whole, some_widened(source + size * whole, rest))
        store_word(scratch + 8 * index, source)
        store_word(scratch + 8 * (parts + index), at)
        return at + nbytes

    return spread


def _spread_rows(index: int, part: BlockPart, parts: int) -> Function:
    """Interleaves a part's bytes of sixteen rows; what a short last block lacks becomes zero."""
    size, fixed = part.step, part.row_bytes(0)

    def spread(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:
        there = load_word(weights + PARTS + 8 * (parts + index))
        source = load_word(weights + PARTS + 8 * index) + row * there
        wide = _padded_bytes(fixed + size * blocks)
        for byte in range(0, wide, LINE):
            _bring(source + byte, there, there - byte, count, at + ROWS * byte, scratch)
        store_word(scratch + 8 * index, at)
        return at + ROWS * wide

    return spread


def _stream(index: int, size: int, parts: int, chunk: int) -> Function:
    """Interleaves a part's bytes of some blocks; the block decoder finds them as if the whole rows were there."""
    wide = size * chunk

    def stream(weights: int, row: int, count: int, block: int, at: int, scratch: int) -> int:
        there = load_word(weights + PARTS + 8 * (parts + index))
        source, first = load_word(weights + PARTS + 8 * index) + row * there, size * block
        for byte in range(0, min(wide, there - first + size), LINE):  # a short last block lacks less than a block
            _bring(source + first + byte, there, there - first - byte, count, at + ROWS * byte, scratch)
        store_word(scratch + 8 * index, at - ROWS * first)
        return at + ROWS * wide + LINE  # a number that straddles words may look at the next one

    return stream


def _stream_all(streams: Sequence[Function]) -> Function:
    """One function that does what several do, one after the other; each begins where the one before says."""
    if not streams:
        return _no_more
    first, rest = streams[0], _stream_all(streams[1:])

    def both(weights: int, row: int, count: int, block: int, at: int, scratch: int) -> int:
        return rest(weights, row, count, block, first(weights, row, count, block, at, scratch), scratch)  # type: ignore[no-any-return]

    return both


def _no_more(weights: int, row: int, count: int, block: int, at: int, scratch: int) -> int:  # noqa: ARG001
    """What follows the last of several functions: nothing."""
    return at


def _spread_all(spreads: Sequence[Function]) -> Function:
    """One function that does what several do, one after the other; each begins where the one before says."""
    if not spreads:
        return _no_more
    first, rest = spreads[0], _spread_all(spreads[1:])

    def both(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:
        return rest(weights, row, count, blocks, first(weights, row, count, blocks, at, scratch), scratch)  # type: ignore[no-any-return]

    return both


def _ahead(index: int, size: int, parts: int) -> Function:
    """Asks for a block's bytes of sixteen rows, which are interleaved next: sixteen short streams are not foreseen.

    Rows of a power of two of bytes meet in few sets of the nearest cache, where they would push each other out.
    """

    def ahead(weights: int, row: int, block: int) -> None:
        step, first = load_word(weights + PARTS + 8 * (parts + index)), size * block
        at = load_word(weights + PARTS + 8 * index) + row * step
        for offset in range((first + (LINE - 1)) & -LINE, first + size, LINE):  # lines that begin in the block
            for each in range(ROWS):
                prefetch_second(at + offset + each * step)

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
        spread(weights, row, count, blocks, scratch + DATA, scratch)
        for block in range(blocks):
            write(scratch, block, out + 64 * width * block)

    return panel


def _one(product: Function, write: Function, ways: tuple[Function, ...], width: int, chunk: int) -> Entry:
    """The product with one activation; of a short last block only the columns that there are."""
    zeros = no_float_columns[TURNS]
    before, stream, ahead, below = ways

    def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, x = load_word(weights + COLS), load_word(job + X)
        whole = cols // width
        blocks = (cols + (width - 1)) // width
        for row in range(first, last, ROWS):
            count = min(ROWS, last - row)
            at = before(weights, row, count, blocks, scratch + DATA, scratch)
            totals, spare = zeros(), at
            for start in range(0, blocks, chunk):
                spare = stream(weights, row, count, start, at, scratch)
                later = start + chunk < blocks
                shift, place = (chunk, row) if later else (-start, row + ROWS)
                for block in range(start, min(start + chunk, whole)):
                    ahead(weights, place, block + shift)
                    below(weights, row + ROWS, block)
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
            spare = spread(weights, row, 1, blocks, scratch + DATA, scratch)
            for block in range(blocks):
                write(scratch, block, spare)
                for col in range(width * block, min(cols, width * block + width)):
                    store_float(out + 4 * col, load_float(spare + 64 * (col - width * block)))

    return rows
