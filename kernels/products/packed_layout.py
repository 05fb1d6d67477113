"""The packed layout of ggml's blocks: those of sixteen rows are interleaved, word by word.

::

    packed   (rows / 16, blocks of a row) blocks
    byte     0                    64                    ...
             | word 0 of 16 rows  | word 1 of 16 rows   |  ...

The bytes are the stored ones in another order: a block is cut into words of four bytes. So a vector has the same four
codes of sixteen rows, and no sum crosses lanes. Where a block's size is no multiple of four, a float16 is left over: in
a super-block it becomes a word, in a block of 32 it stays a float16, behind the words. Rows that fill up the last
sixteen are zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, OUT, PARTS
from fourcc.kernels.products.group_size import GROUPS_OF_32, GroupSize
from fourcc.kernels.products.panels import ROWS
from fourcc.kernels.products.signatures import BlockCodes, PackBlocks, PackRest, WriteScales
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

PACKED_WORD = 64  # bytes of one word of sixteen rows
ONES, TWOS, NIBBLES = 0x01010101, 0x03030303, 0x0F0F0F0F  # the lowest one, two and four bits of four bytes


def as_stored(word: int) -> int:
    """The order of the stored words."""
    return word


def two_float16s(p: int, scales: int, offsets: int) -> None:
    """Writes the scales and offsets of blocks whose first word is a float16 scale and a float16 offset."""
    store(scales, low_float16s(load_ints(p)))
    store(offsets, high_float16s(load_ints(p)))


def float16s_behind(words: int) -> WriteScales:
    """The writer of scales for blocks whose float16 scale lies behind some words."""

    def write_scales(p: int, scales: int, offsets: int) -> None:
        store(scales, load_float16s(p + PACKED_WORD * words))

    return write_scales


@dataclass(frozen=True)
class Block:
    """A format's block.

    Attributes:
        width: columns.
        size: bytes.
        write_scales: writes a vector of floats for each scale (and offset, where the format has them) of sixteen packed
            blocks.
        codes: builds the walk over all codes of sixteen packed blocks, for a product or for a panel.
        half: byte offset of the float16 that belongs to no word, at the block's start or end; -1 if there is none.
        rest: bytes that belong to no word; not 2 if they are something other than a float16.
        place: (word) -> its number in the packed block, not counting a float16 that became a word.
        zero: the code of weight 0; None: codes are signed, as `simd.dot.biased` leaves them.
        affine: whether there are offsets.
        group: how many columns share a scale.
        prefetched: whether a product with several activations prefetches the block; measured for each format.
    """

    width: int
    size: int
    write_scales: WriteScales
    codes: BlockCodes
    half: int = -1
    rest: int = 2
    place: Callable[[int], int] = as_stored
    zero: int | None = None
    affine: bool = False
    group: GroupSize = GROUPS_OF_32
    prefetched: bool = True

    @property
    def words(self) -> int:
        """Words of a block."""
        return self.size // 4

    @property
    def begin(self) -> int:
        """The byte at which the words begin."""
        return self.rest if self.half == 0 else 0

    @property
    def widened(self) -> bool:
        """Whether the float16 becomes a word, which is then the first."""
        return self.half >= 0 and self.words >= ROWS

    @property
    def packed(self) -> int:
        """Bytes of sixteen packed blocks."""
        return 64 * (self.words + self.widened) + (ROWS * self.rest if self.half >= 0 and not self.widened else 0)

    @property
    def expanded(self) -> int:
        """Bytes of scratch memory for sixteen expanded blocks: codes, scales, offsets."""
        return ROWS * self.width + 2 * self.scales

    @property
    def scales(self) -> int:
        """Bytes of the scales of sixteen expanded blocks."""
        return 64 * (self.width >> self.group.bits)


def block_packer(block: Block) -> PackBlocks:
    """The function that packs the same block of up to sixteen rows."""
    words, begin, place, first, pack_rest = (
        block.words,
        block.begin,
        block.place,
        int(block.widened),
        _rest_packer(block),
    )

    def pack(p: int, stride: int, rows: int, out: int, scratch: int) -> None:
        if rows == ROWS and words >= ROWS:
            for word in range(0, words, ROWS):
                at = min(word, words - ROWS)
                transpose(p + begin + 4 * at, stride, scratch)
                for each in range(ROWS):
                    store(out + 64 * (first + place(at + each)), load_ints(scratch + 64 * each))
        else:
            for lane in range(ROWS):
                for word in range(words):
                    value = load_int(p + lane * stride + begin + 4 * word) if lane < rows else 0
                    store_int(out + 64 * (first + place(word)) + 4 * lane, value)
        pack_rest(p, stride, rows, out)

    return pack


def _rest_packer(block: Block) -> PackRest:
    """The function that packs the bytes that belong to no word."""
    half, rest, widened, behind = block.half, block.rest, block.widened, 64 * block.words

    def pack_rest(p: int, stride: int, rows: int, out: int) -> None:
        if half >= 0:
            for lane in range(ROWS):
                to = out + 4 * lane if widened else out + behind + rest * lane
                if widened:
                    store_int(to, 0)
                for byte in range(rest):
                    store_byte(to + byte, load_byte(p + lane * stride + half + byte) if lane < rows else 0)

    return pack_rest


def packer(block: Block) -> KernelFunction:
    """The kernel that packs rows of stored blocks."""
    width, size, packed, pack_blocks = block.width, block.size, block.packed, block_packer(block)

    def pack(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks = load_word(weights + COLS) // width
        for row in range(first, last, ROWS):
            p = load_word(weights + PARTS) + row * blocks * size
            out = load_word(job + OUT) + (row >> 4) * blocks * packed
            for each in range(blocks):
                pack_blocks(p + size * each, size * blocks, min(ROWS, last - row), out + packed * each, scratch)

    return pack
