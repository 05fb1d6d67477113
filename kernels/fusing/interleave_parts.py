"""How the bytes of sixteen rows come to where a block's decoder finds them: interleaved, in scratch memory.

Sixteen rows stand side by side there, word by word: a vector has the same word of every row. Products with several
activations spread whole rows; that with one spreads some blocks at a time, so that they are still in the nearest cache
when they are decoded, and asks for the next ones meanwhile.

A function that spreads is (weights, row, count, n, at, scratch) -> where the next one begins: of `count` rows from
`row` on, n the blocks of a row or the first block of some; it writes the part's address to the head of scratch memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import LINE, PARTS
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.ir_ops import wide_entries
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.simd.memory import load_word, prefetch_second, store, store_word
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.transpose import transpose

Function = Callable[..., Any]
HEAD = 256  # bytes at the start of scratch memory: for each part its address, then for each that of its table
MAX_PARTS = HEAD // 16
DATA = HEAD + LINE * 16  # where they begin; before that, room for 64 bytes of each row
CHUNK = 512  # bytes of a row, or more, that are interleaved at a time


@dataclass(frozen=True)
class Spreading:
    """What brings the parts of a format to its block decoder.

    Attributes:
        whole: spreads whole rows of all parts.
        before: spreads whole rows of the parts that are not streamed.
        stream: spreads `chunk` blocks of those that are, from the n-th on.
        ahead: (weights, row, block) asks for a block of the streamed parts.
        below: the same of the others.
        chunk: blocks.
        nbytes: (blocks of a row) bytes of scratch memory, from DATA on.
    """

    whole: Function
    before: Function
    stream: Function
    ahead: Function
    below: Function
    chunk: int
    nbytes: Callable[[int], int]


def spreading(parts: Sequence[BlockPart], tables: Mapping[int, tuple[str, int]]) -> Spreading:
    """What brings these parts to the block decoder.

    Args:
        parts: in the order of its arguments.
        tables: of the parts whose entries are chosen by values, dtype and number of the entries.
    """
    sizes = [part.step for part in parts]
    chunk = _chunk(max(sizes))
    streamed = [index for index, size in enumerate(sizes) if size and size * chunk % LINE == 0]
    others = [index for index, size in enumerate(sizes) if size and index not in streamed]
    spreads = [_spread(index, part, len(parts), tables.get(index)) for index, part in enumerate(parts)]

    def nbytes(blocks: int) -> int:
        rows = sum(_padded_bytes(part.row_bytes(blocks + chunk)) for part in parts if part.covers != "matrix")
        return ROWS * rows + sum(_table_bytes(count) for _, count in tables.values())

    return Spreading(
        whole=_one_after_another(spreads),
        before=_one_after_another([each for index, each in enumerate(spreads) if index not in streamed]),
        stream=_one_after_another([_stream(index, sizes[index], len(parts), chunk) for index in streamed]),
        ahead=_ask_for_all([_ask_for(index, sizes[index], len(parts)) for index in streamed]),
        below=_ask_for_all([_ask_for(index, sizes[index], len(parts)) for index in others]),
        chunk=chunk,
        nbytes=nbytes,
    )


def _chunk(size: int) -> int:
    """Blocks that are interleaved at a time, for blocks of so many bytes: those of whole cache lines."""
    if not size:
        return 1
    period = LINE // gcd(size, LINE)
    return period * -(-CHUNK // (size * period))


def _padded_bytes(size: int) -> int:
    """Bytes of a row in scratch memory: one word more than it has, up to a whole vector."""
    return ((size + 4) + 63) // 64 * 64


def _table_bytes(count: int) -> int:
    """Bytes of a part in scratch memory whose entries are chosen by values: 32 bits each."""
    return -(-count // 16) * 64


def _bring(source: int, step: int, left: int, count: int, out: int, scratch: int) -> None:
    """Interleaves 64 bytes of some rows, `left` of which are there; what is missing becomes zero."""
    if count == ROWS and left >= LINE:
        transpose(source, step, out)
        return
    for each in range(count):
        store(scratch + HEAD + LINE * each, load_some_bytes(source + each * step, max(0, min(LINE, left))))
    transpose(scratch + HEAD, LINE, out)


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


def _one_after_another(spreads: Sequence[Function]) -> Function:
    """One function that spreads what several do; each begins where the one before says."""
    if not spreads:
        return _no_more
    first, rest = spreads[0], _one_after_another(spreads[1:])

    def both(weights: int, row: int, count: int, n: int, at: int, scratch: int) -> int:
        return rest(weights, row, count, n, first(weights, row, count, n, at, scratch), scratch)  # type: ignore[no-any-return]

    return both


def _no_more(weights: int, row: int, count: int, n: int, at: int, scratch: int) -> int:  # noqa: ARG001
    """What follows the last one: nothing."""
    return at


def _ask_for(index: int, size: int, parts: int) -> Function:
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


def _ask_for_nothing(weights: int, row: int, block: int) -> None:
    """Asks for nothing."""


def _ask_for_all(each: Sequence[Function]) -> Function:
    """One function that does what several do."""
    if not each:
        return _ask_for_nothing
    first, rest = each[0], _ask_for_all(each[1:])

    def both(weights: int, row: int, block: int) -> None:
        first(weights, row, block)
        rest(weights, row, block)

    return both
