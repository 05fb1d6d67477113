"""Blocks of ggml, packed for products: those of sixteen rows interleaved, word by word.

::

    packed   (rows / 16, blocks of a row) blocks
    byte     0                    64                    ...
             | word 0 of 16 rows  | word 1 of 16 rows   |  ...

The bytes are the stored ones in another order: a block is cut into words of four bytes. So one vector has the same four
codes of sixteen rows, and no sum crosses lanes. Where a block's size is no multiple of four, a float16 is left: of a
superblock it becomes a word, of a block of 32 it stays one, behind the words. Rows that fill up the last sixteen have
zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, OUT, PARTS
from fourcc.kernels.products.panel_gemm import THIRTY_TWO, Reach
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.simd.int32 import high_float16s, low_float16s
from fourcc.kernels.simd.load_wide import load_float16s
from fourcc.kernels.simd.memory import (
    load_byte,
    load_int,
    load_ints,
    load_word,
    store,
    store_byte,
    store_int,
)
from fourcc.kernels.simd.transpose import transpose

Function = Callable[..., Any]
WORD = 64  # bytes of a word of sixteen rows
ONES, TWOS, NIBBLES = 0x01010101, 0x03030303, 0x0F0F0F0F  # the lowest one, two and four bits of four bytes


def as_stored(word: int) -> int:
    """The order of the stored words."""
    return word


def two_float16s(p: int, scales: int, means: int) -> None:
    """A block's numbers where its first word is a scale and a mean."""
    store(scales, low_float16s(load_ints(p)))
    store(means, high_float16s(load_ints(p)))


def float16s_behind(words: int) -> Function:
    """A block's numbers where a scale is left behind some words."""

    def numbers(p: int, scales: int, means: int) -> None:  # noqa: ARG001 - there are none
        store(scales, load_float16s(p + WORD * words))

    return numbers


@dataclass(frozen=True)
class Block:
    """A format's block.

    Attributes:
        width: columns.
        size: bytes.
        numbers: (p, scales, means) writes a vector of floats for each scale (and mean, where the format has them) of
            sixteen packed blocks at `p`.
        codes: (put, finish, no_dots) -> (p, place, total, numbers) -> total. The function hands all codes of sixteen
            blocks to `dots = put(dots, codes, place, column)`, four columns at a time, int32, beginning with
            `no_dots()`; and, when those of a scale are done, the dots to `total = finish(total, dots, number of the
            scale, numbers)`.
        half: where the float16 is that belongs to no word, the block's begin or end; -1 where there is none.
        rest: its bytes; of another number, those of that.
        place: (word) -> its number in the packed block; None: its own, behind a float16 that became a word.
        zero: the code of weight 0; None: codes are signed, as `simd.dot.biased` leaves them.
        affine: whether there are means.
        reach: of a scale.
        ahead: whether a product with several activations prefetches what it comes to; measured for each format.
    """

    width: int
    size: int
    numbers: Function
    codes: Function
    half: int = -1
    rest: int = 2
    place: Function = as_stored
    zero: int | None = None
    affine: bool = False
    reach: Reach = THIRTY_TWO
    ahead: bool = True

    @property
    def words(self) -> int:
        """Words of a block."""
        return self.size // 4

    @property
    def begin(self) -> int:
        """Where the words begin."""
        return self.rest if self.half == 0 else 0

    @property
    def widened(self) -> bool:
        """Whether the float16 becomes a word, the first one."""
        return self.half >= 0 and self.words >= ROWS

    @property
    def packed(self) -> int:
        """Bytes of a packed block."""
        return 64 * (self.words + self.widened) + (ROWS * self.rest if self.half >= 0 and not self.widened else 0)

    @property
    def expanded(self) -> int:
        """Bytes of scratch memory for sixteen expanded blocks: codes, scales, means."""
        return ROWS * self.width + 2 * self.scales

    @property
    def scales(self) -> int:
        """Bytes of their scales."""
        return 64 * (self.width >> self.reach.bits)


def group_packer(block: Block) -> Function:
    """The function that packs the same block of up to sixteen rows."""
    words, begin, place, first, pack_rest = (
        block.words,
        block.begin,
        block.place,
        int(block.widened),
        _rest_packer(block),
    )

    def pack(p: int, step: int, rows: int, out: int, scratch: int) -> None:
        if rows == ROWS and words >= ROWS:
            for word in range(0, words, ROWS):
                at = min(word, words - ROWS)
                transpose(p + begin + 4 * at, step, scratch)
                for each in range(ROWS):
                    store(out + 64 * (first + place(at + each)), load_ints(scratch + 64 * each))
        else:
            for lane in range(ROWS):
                for word in range(words):
                    found = load_int(p + lane * step + begin + 4 * word) if lane < rows else 0
                    store_int(out + 64 * (first + place(word)) + 4 * lane, found)
        pack_rest(p, step, rows, out)

    return pack


def _rest_packer(block: Block) -> Function:
    """The function that packs what belongs to no word."""
    half, rest, widened, behind = block.half, block.rest, block.widened, 64 * block.words

    def pack_rest(p: int, step: int, rows: int, out: int) -> None:
        if half >= 0:
            for lane in range(ROWS):
                to = out + 4 * lane if widened else out + behind + rest * lane
                if widened:
                    store_int(to, 0)
                for byte in range(rest):
                    store_byte(to + byte, load_byte(p + lane * step + half + byte) if lane < rows else 0)

    return pack_rest


def packer(block: Block) -> KernelFunction:
    """The kernel that packs rows of stored blocks."""
    width, size, packed, group = block.width, block.size, block.packed, group_packer(block)

    def pack(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks = load_word(weights + COLS) // width
        for row in range(first, last, ROWS):
            p = load_word(weights + PARTS) + row * blocks * size
            out = load_word(job + OUT) + (row >> 4) * blocks * packed
            for each in range(blocks):
                group(p + size * each, size * blocks, min(ROWS, last - row), out + packed * each, scratch)

    return pack
