"""Interleaves the stored bytes of sixteen rows in scratch memory, where the block decoder reads them.

The rows lie side by side there, word by word: one vector holds the same word of every row. Products with several
activations interleave whole rows. The product with one activation interleaves some blocks at a time, so that they are
still in L1 when they are decoded, and prefetches the next ones meanwhile.

The functions that interleave a part share the signature (weights, row, count, n, at, scratch) -> end. They read `count`
rows from `row` on, write to `at`, and store the part's address at the start of scratch memory; n is the number of
blocks in a row, or the first block of a chunk. They return where the next part begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from fourcc.kernels.descriptors import LINE, PARTS
from fourcc.kernels.fusing.ir_ops import wide_entries
from fourcc.kernels.fusing.stored_parts import StoredPart
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.simd.memory import load_word, prefetch_second, store, store_word
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.transpose import transpose

Interleave = Callable[[int, int, int, int, int, int], int]
Prefetch = Callable[[int, int, int], None]  # (weights, row, block)
Place = Callable[[int, int, int], None]  # (weights, scratch, block) stores where the block's entries of columns are
HEAD = 256  # bytes at the start of scratch memory: the address of every part, then that of every part's widened table
MAX_PARTS = HEAD // 16
DATA = HEAD + LINE * 16  # the interleaved bytes begin here; before them, a buffer of 64 bytes for each row
CHUNK = 512  # bytes of a row, or more, that are interleaved at a time


@dataclass(frozen=True)
class PartInterleaving:
    """The functions that bring a format's parts to its block decoder.

    Attributes:
        rows: interleaves whole rows of all parts.
        unstreamed: interleaves whole rows of the parts that are not streamed.
        stream: interleaves `chunk` blocks of the streamed parts, from the n-th on.
        prefetch_streamed: prefetches a block of the streamed parts.
        prefetch_unstreamed: prefetches a block of the other parts.
        place: tells the decoder where a block's entries of parts of columns are.
        chunk: blocks that are interleaved at a time.
        nbytes: (blocks of a row) -> bytes of scratch memory, from DATA on.
    """

    rows: Interleave
    unstreamed: Interleave
    stream: Interleave
    prefetch_streamed: Prefetch
    prefetch_unstreamed: Prefetch
    place: Place
    chunk: int
    nbytes: Callable[[int], int]


def part_interleaving(parts: Sequence[StoredPart], tables: Mapping[int, tuple[str, int]]) -> PartInterleaving:
    """The functions that bring these parts to the block decoder.

    Args:
        parts: in the order of the decoder's arguments.
        tables: dtype and number of entries, by part, of the parts that a value indexes.
    """
    strides = [part.stride for part in parts]
    chunk = _chunk(max(strides))
    streamed = [index for index, stride in enumerate(strides) if stride and stride * chunk % LINE == 0]
    others = [index for index, stride in enumerate(strides) if stride and index not in streamed]
    functions = [_interleaver(index, part, len(parts), tables.get(index)) for index, part in enumerate(parts)]

    def nbytes(blocks: int) -> int:
        rows = sum(_padded_bytes(part.row_bytes(blocks + chunk)) for part in parts if part.owner in {"block", "row"})
        return ROWS * rows + sum(_table_bytes(count) for _, count in tables.values())

    return PartInterleaving(
        rows=_in_turn(functions),
        unstreamed=_in_turn([function for index, function in enumerate(functions) if index not in streamed]),
        stream=_in_turn([_chunk_interleaver(index, strides[index], len(parts), chunk) for index in streamed]),
        prefetch_streamed=_prefetch_all([_prefetcher(index, strides[index], len(parts)) for index in streamed]),
        prefetch_unstreamed=_prefetch_all([_prefetcher(index, strides[index], len(parts)) for index in others]),
        place=_place_all([(index, part.nbytes) for index, part in enumerate(parts) if part.owner == "column"]),
        chunk=chunk,
        nbytes=nbytes,
    )


def _chunk(size: int) -> int:
    """The number of blocks of `size` bytes to interleave at a time: they fill whole cache lines."""
    if not size:
        return 1
    period = LINE // gcd(size, LINE)
    return period * -(-CHUNK // (size * period))


def _padded_bytes(size: int) -> int:
    """Bytes of a row in scratch memory: one more word than it has, rounded up to a whole vector."""
    return ((size + 4) + 63) // 64 * 64


def _table_bytes(count: int) -> int:
    """Bytes of a widened table in scratch memory: 32 bits an entry."""
    return -(-count // 16) * 64


def _interleave_line(source: int, stride: int, left: int, count: int, out: int, scratch: int) -> None:
    """Interleaves 64 bytes of `count` rows; of a row's bytes only `left` remain, and zeros replace the others."""
    if count == ROWS and left >= LINE:
        transpose(source, stride, out)
        return
    for each in range(count):
        store(scratch + HEAD + LINE * each, load_some_bytes(source + each * stride, max(0, min(LINE, left))))
    transpose(scratch + HEAD, LINE, out)


def _interleaver(index: int, part: StoredPart, parts: int, table: tuple[str, int] | None) -> Interleave:
    """The function that brings a part to where its block decoder reads it."""
    if part.owner in {"block", "row"}:
        return _row_interleaver(index, part, parts)
    return _in_place(index) if table is None else _table_widener(index, parts, *table)


def _in_place(index: int) -> Interleave:
    """The function for a part of the whole matrix, or of its columns: the decoder reads it where it is stored."""

    def place(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:
        store_word(scratch + 8 * index, load_word(weights + PARTS + 8 * index))
        return at

    return place


def _place_all(columns: Sequence[tuple[int, int]]) -> Place:
    """One function for all parts of columns, each a number and the bytes of a block's entries."""
    if not columns:
        return _do_nothing
    (index, size), rest = columns[0], _place_all(columns[1:])

    def place(weights: int, scratch: int, block: int) -> None:
        store_word(scratch + 8 * index, load_word(weights + PARTS + 8 * index) + size * block)
        rest(weights, scratch, block)

    return place


def _table_widener(index: int, parts: int, dtype: str, entries: int) -> Interleave:
    """The function that widens a part of the whole matrix that a value indexes."""
    widened, some_widened = wide_entries(dtype)
    whole, rest, size = entries // 16 * 16, entries % 16, np.dtype(dtype).itemsize
    nbytes = _table_bytes(entries)

    def widen(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:
        source = load_word(weights + PARTS + 8 * index)
        for entry in range(0, whole, 16):
            store(at + 4 * entry, widened(source + size * entry))
        if rest:
            store(at + 4 * whole, some_widened(source + size * whole, rest))
        store_word(scratch + 8 * index, source)
        store_word(scratch + 8 * (parts + index), at)
        return at + nbytes

    return widen


def _row_interleaver(index: int, part: StoredPart, parts: int) -> Interleave:
    """The function that interleaves a part of sixteen rows, and writes zeros where a last block is short."""
    stride, fixed = part.stride, part.row_bytes(0)

    def interleave(weights: int, row: int, count: int, blocks: int, at: int, scratch: int) -> int:
        row_bytes = load_word(weights + PARTS + 8 * (parts + index))
        source = load_word(weights + PARTS + 8 * index) + row * row_bytes
        padded = _padded_bytes(fixed + stride * blocks)
        for byte in range(0, padded, LINE):
            _interleave_line(source + byte, row_bytes, row_bytes - byte, count, at + ROWS * byte, scratch)
        store_word(scratch + 8 * index, at)
        return at + ROWS * padded

    return interleave


def _chunk_interleaver(index: int, stride: int, parts: int, chunk: int) -> Interleave:
    """The function that interleaves a chunk of a part's blocks, at the place that they have in whole rows.

    The block decoder computes a block's address as if the whole rows were interleaved.
    """
    chunk_bytes = stride * chunk

    def interleave(weights: int, row: int, count: int, block: int, at: int, scratch: int) -> int:
        row_bytes = load_word(weights + PARTS + 8 * (parts + index))
        source, first = load_word(weights + PARTS + 8 * index) + row * row_bytes, stride * block
        for byte in range(
            0, min(chunk_bytes, row_bytes - first + stride), LINE
        ):  # a short last block lacks less than a whole one
            left = row_bytes - first - byte
            _interleave_line(source + first + byte, row_bytes, left, count, at + ROWS * byte, scratch)
        store_word(scratch + 8 * index, at - ROWS * first)
        return at + ROWS * chunk_bytes + LINE  # an entry that straddles words may read one word more

    return interleave


def _in_turn(functions: Sequence[Interleave]) -> Interleave:
    """One function that calls several; each writes from where the one before it ends."""
    if not functions:
        return _interleave_nothing
    first, rest = functions[0], _in_turn(functions[1:])

    def both(weights: int, row: int, count: int, n: int, at: int, scratch: int) -> int:
        return rest(weights, row, count, n, first(weights, row, count, n, at, scratch), scratch)

    return both


def _interleave_nothing(weights: int, row: int, count: int, n: int, at: int, scratch: int) -> int:
    """Ends the chain of `_in_turn`."""
    return at


def _prefetcher(index: int, stride: int, parts: int) -> Prefetch:
    """The function that prefetches a block of sixteen rows into L2.

    The hardware does not prefetch sixteen short streams by itself. Rows whose stride is a power of two share few sets
    of L1, where they would evict each other.
    """

    def prefetch(weights: int, row: int, block: int) -> None:
        row_bytes, first = load_word(weights + PARTS + 8 * (parts + index)), stride * block
        at = load_word(weights + PARTS + 8 * index) + row * row_bytes
        for offset in range((first + (LINE - 1)) & -LINE, first + stride, LINE):  # lines that begin in the block
            for each in range(ROWS):
                prefetch_second(at + offset + each * row_bytes)

    return prefetch


def _do_nothing(weights: int, at: int, block: int) -> None:
    """Ends the chains of `_prefetch_all` and `_place_all`."""


def _prefetch_all(functions: Sequence[Prefetch]) -> Prefetch:
    """One function that calls several."""
    if not functions:
        return _do_nothing
    first, rest = functions[0], _prefetch_all(functions[1:])

    def both(weights: int, row: int, block: int) -> None:
        first(weights, row, block)
        rest(weights, row, block)

    return both
