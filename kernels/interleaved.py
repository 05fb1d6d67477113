"""Blocks of ggml, packed for products: those of sixteen rows interleaved, word by word.

::

    packed   (rows / 16, blocks of a row) blocks
    byte     0                    64                    ...
             | word 0 of 16 rows  | word 1 of 16 rows   |  ...

The bytes are the stored ones in another order: a block is cut into words of four bytes. So one vector has the same four
codes of sixteen rows, and no sum crosses lanes. Where a block's size is no multiple of four, a float16 is left: of a
superblock it becomes a word, of a block of 32 it stays one, behind the words. Rows that fill up the last sixteen have
zeros.

All that a format says is what its block is, what its scales are, and how its codes come, four of each row after four.
They are multiplied at once in a product with one activation, stored in a panel (`fourcc.kernels.product`) for several.
Memory is read at its speed where it is read in order, so words lie in the order in which they are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fourcc.kernels import integers, sixteens
from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import Kernel
from fourcc.kernels.operands import CODES, COLS, OUT, OUT_STEP, PARTS, X, round_up
from fourcc.kernels.product import (
    ROWS,
    THIRTY_TWO,
    Reach,
    float_panels,
    float_scratch,
    integer_product,
    integer_scratch,
    means_of,
    scales_of,
)
from fourcc.kernels.rows import FEW, column_by_column, one_or_several
from fourcc.kernels.simd.arithmetic import (
    add,
    floats_from_ints,
    ints_of,
    multiply,
    shifted_right,
    subtract,
)
from fourcc.kernels.simd.choosing import both
from fourcc.kernels.simd.dot import BIAS
from fourcc.kernels.simd.memory import (
    load_byte,
    load_float,
    load_floats,
    load_int,
    load_ints,
    load_word,
    store,
    store_byte,
    store_float,
    store_int,
)
from fourcc.kernels.simd.tiles import (
    dot_columns,
    multiply_add_columns,
    no_float_columns,
    no_int_columns,
    scale_columns,
    store_columns,
    store_some_columns,
    transpose,
)
from fourcc.kernels.simd.twins import Lanes
from fourcc.kernels.simd.widening import load_float16s
from fourcc.kernels.simd.words import bytes_of_ints, high_float16s, low_float16s

Function = Callable[..., Any]
WORD = 64  # bytes of a word of sixteen rows
ONES, TWOS, NIBBLES = 0x01010101, 0x03030303, 0x0F0F0F0F  # the lowest one, two and four bits of four bytes
_nothing, no_dots = no_float_columns[1], no_int_columns[1]


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
        codes: (put, finish) -> (p, place, total, numbers) -> total. The function hands all codes of sixteen blocks to
            `dots = put(dots, codes, place, column)`, four columns at a time, int32, beginning with `no_dots()`; and,
            when those of a scale are done, the dots to `total = finish(total, dots, number of the scale, numbers)`.
        half: where the float16 is that belongs to no word, the block's begin or end; -1 where there is none.
        place: (word) -> its number in the packed block; None: its own, behind a float16 that became a word.
        zero: the code of weight 0; None: codes are signed, as `simd.dot.biased` leaves them.
        affine: whether there are means.
        reach: of a scale.
    """

    width: int
    size: int
    numbers: Function
    codes: Function
    half: int = -1
    place: Function = as_stored
    zero: int | None = None
    affine: bool = False
    reach: Reach = THIRTY_TWO

    @property
    def words(self) -> int:
        """Words of a block."""
        return self.size // 4

    @property
    def begin(self) -> int:
        """Where the words begin."""
        return 2 if self.half == 0 else 0

    @property
    def widened(self) -> bool:
        """Whether the float16 becomes a word, the first one."""
        return self.half >= 0 and self.words >= ROWS

    @property
    def packed(self) -> int:
        """Bytes of a packed block."""
        return 64 * (self.words + self.widened) + (32 if self.half >= 0 and not self.widened else 0)

    @property
    def expanded(self) -> int:
        """Bytes of scratch memory for sixteen expanded blocks: codes, scales, means."""
        return ROWS * self.width + 2 * self.scales

    @property
    def scales(self) -> int:
        """Bytes of their scales."""
        return 64 * (self.width >> self.reach.bits)


# -- packing


def _group(block: Block) -> Function:
    """The function that packs the same block of up to sixteen rows."""
    words, begin, half, place, first = block.words, block.begin, block.half, block.place, int(block.widened)

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
        if half >= 0:
            for lane in range(ROWS):
                at = p + lane * step + half
                found = load_byte(at) | load_byte(at + 1) << 8 if lane < rows else 0
                if first:
                    store_int(out + 4 * lane, found)
                else:
                    store_byte(out + 64 * words + 2 * lane, found)
                    store_byte(out + 64 * words + 2 * lane + 1, found >> 8)

    return pack


def _packer(block: Block) -> Entry:
    width, size, packed, group = block.width, block.size, block.packed, _group(block)

    def pack(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks = load_word(weights + COLS) // width
        for row in range(first, last, ROWS):
            p = load_word(weights + PARTS) + row * blocks * size
            out = load_word(job + OUT) + (row >> 4) * blocks * packed
            for each in range(blocks):
                group(p + size * each, size * blocks, min(ROWS, last - row), out + packed * each, scratch)

    return pack


# -- one activation


def _multiplied(dots: Lanes, codes: Lanes, x: int, column: int) -> Lanes:
    made: Lanes = dot_columns(dots, bytes_of_ints(codes), x + column, 0)
    return made


def _one(block: Block) -> Entry:
    """Sixteen rows at a time, block after block."""
    width, packed, write_numbers, affine = block.width, block.packed, block.numbers, block.affine
    bits, numbers, means_at = block.reach.bits, block.reach.numbers, block.scales

    def finish(total: Lanes, dots: Lanes, index: int, where: tuple[int, int, int, int]) -> Lanes:
        scales, steps, offsets, sums = where
        at, vector = 4 * index, 64 * index
        total = scale_columns(total, dots, load_floats(scales + vector), steps + at, offsets + at, 0)
        if affine:
            total = multiply_add_columns(total, load_floats(scales + means_at + vector), sums + at, 0)
        return total

    multiply = block.codes(_multiplied, finish)

    def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, codes = load_word(weights + COLS), load_word(job + CODES)
        steps, offsets, sums, _ = numbers(job, 0, round_up(cols))
        for row in range(first, last, ROWS):
            p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
            total = _nothing()
            for begin in range(0, cols, width):
                at = begin >> bits << 2
                write_numbers(p, scratch, scratch + means_at)
                total = multiply(p, codes + begin, total, (scratch, steps + at, offsets + at, sums + at))
                p += packed
            out = load_word(job + OUT) + 4 * row
            if last - row >= ROWS:
                store_columns(out, 0, total)
            else:
                store_some_columns(out, 0, total, last - row)

    return one


# -- several


def _stored(dots: Lanes, codes: Lanes, out: int, column: int) -> Lanes:
    store(out + ROWS * column, codes)
    return dots


def _expander(block: Block) -> Function:
    """The function that writes what sixteen packed blocks hold: codes, scales and means."""

    def skip(total: Lanes, dots: Lanes, index: int, where: int) -> Lanes:  # noqa: ARG001
        return total

    write_numbers, write_codes = block.numbers, block.codes(_stored, skip)

    def expand(p: int, codes: int, scales: int, means: int) -> None:
        write_numbers(p, scales, means)
        write_codes(p, codes, _nothing(), 0)

    return expand


def _panel(block: Block) -> Function:
    width, packed, expand = block.width, block.packed, _expander(block)
    bits, numbers = block.reach.bits, block.scales

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:  # noqa: ARG001
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
        scales, means = scales_of(out, round_up(cols)), means_of(out, round_up(cols), bits)
        for each in range(cols // width):
            expand(p, out + ROWS * width * each, scales + numbers * each, means + numbers * each)
            p += packed

    return panel


# -- floats


def _floats(block: Block) -> Function:
    """The function that expands sixteen packed blocks to floats: for each column a vector."""
    width, expand, affine, bits = block.width, _expander(block), block.affine, block.reach.bits
    zero = 128 if block.zero is None else block.zero
    lifted = 128 - BIAS if block.zero is None else 0  # makes signed bytes unsigned
    scales_at, means_at = ROWS * width, ROWS * width + block.scales
    fours = bits - 2

    def floats(p: int, out: int, scratch: int) -> None:
        expand(p, scratch, scratch + scales_at, scratch + means_at)
        mask, taken, more = ints_of(255), ints_of(zero), ints_of(lifted)
        for four in range(width >> 2):
            words, at = load_ints(scratch + 64 * four), four >> fours << 6
            scale = load_floats(scratch + scales_at + at)
            for byte in range(4):
                code = subtract(both(add(shifted_right(words, 8 * byte), more), mask), taken)
                w = multiply(scale, floats_from_ints(code))
                if affine:
                    w = add(w, load_floats(scratch + means_at + at))
                store(out + 64 * (4 * four + byte), w)

    return floats


def _float_panel(block: Block) -> Function:
    width, packed, floats = block.width, block.packed, _floats(block)

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:  # noqa: ARG001
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
        for col in range(0, cols, width):
            floats(p, out + 64 * col, scratch)
            p += packed

    return panel


def _decoder(block: Block) -> Entry:
    """Rows as they are stored: sixteen are packed in scratch memory, a block at a time, and their floats are sorted."""
    width, size, group, floats = block.width, block.size, _group(block), _floats(block)
    made_at = block.expanded + block.packed
    sorted_at = made_at + 64 * width

    def decode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks, step = load_word(weights + COLS) // width, load_word(job + OUT_STEP)
        for row in range(first, last, ROWS):
            p, out = load_word(weights + PARTS) + row * blocks * size, load_word(job + OUT) + row * step
            rows = min(ROWS, last - row)
            for each in range(blocks):
                group(p + size * each, size * blocks, rows, scratch + block_at, scratch + made_at)
                floats(scratch + block_at, scratch + made_at, scratch)
                for col in range(0, width, 16):
                    transpose(scratch + made_at + 64 * col, 64, scratch + sorted_at)
                    for lane in range(rows):
                        to = out + lane * step + 4 * (width * each + col)
                        store(to, load_floats(scratch + sorted_at + 64 * lane))

    block_at = block.expanded
    return decode


def _gather(block: Block) -> Entry:
    """Rows of the packed matrix, one by one."""
    width, packed, floats = block.width, block.packed, _floats(block)
    made_at = block.expanded

    def gather(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
            out = load_word(job + OUT) + index * load_word(job + OUT_STEP)
            for begin in range(0, cols, width):
                floats(p, scratch + made_at, scratch)
                for col in range(width):
                    store_float(out + 4 * (begin + col), load_float(scratch + made_at + 64 * col + 4 * (row & 15)))
                p += packed

    return gather


def interleaved(block: Block, **more: Any) -> Kernel:
    """The kernel of a format of ggml's blocks.

    Args:
        block: the format's.
        more: further fields of the kernel.
    """
    width, bits = block.width, block.reach.bits
    one = _one(block)
    several = integer_product(_panel(block), affine=block.affine, reach=block.reach)
    zero = BIAS if block.zero is None else block.zero
    quantized = sixteens.quantized if bits == sixteens.SIXTEEN.bits else integers.quantized
    own = block.expanded + block.packed + 64 * width + 1024

    def packed(rows: int, cols: int) -> int:
        return -(-rows // ROWS) * (cols // width) * block.packed

    def scratch(cols: int) -> int:
        return max(integer_scratch(cols, bits), float_scratch(cols)) + own

    return Kernel(
        "native",
        quantized(zero),
        one_or_several(one, several, column_by_column(one), FEW),
        float_panels(_float_panel(block)),
        _gather(block),
        scratch,
        ("blocks",),
        pack=_packer(block),
        packed=packed,
        decode=_decoder(block),
        **more,
    )
