"""Products of ggml's blocks, from the packed layout of `fourcc.kernels.products.packed_layout`.

A format gives only its block, its scales, and the walk over its codes, four of each row at a time (`Block`). A product
with a few activations multiplies the codes as they come; one with several stores them in a panel
(`fourcc.kernels.products.panels`). Memory delivers its full rate only if it is read in order, so words lie in the order
in which they are needed.
"""

from __future__ import annotations

from functools import partial

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import CODES, CODES_STRIDE, COLS, OUT, OUT_STRIDE, PARTS, X, round_up
from fourcc.kernels.kernel import Encoder, Kernel
from fourcc.kernels.products import integer_gemm, scales_per_16
from fourcc.kernels.products.crossover import PACKED_ROWS
from fourcc.kernels.products.packed_layout import Block, block_packer, packer
from fourcc.kernels.products.panel_gemm import (
    float_panels,
    float_scratch,
    integer_product,
    integer_scratch,
    packed_small_n,
    store_rows,
)
from fourcc.kernels.products.panels import ROWS, offsets_of, scales_of
from fourcc.kernels.products.prefetch import prefetch_distance
from fourcc.kernels.products.row_gemv import choose_by_count
from fourcc.kernels.products.signatures import DecodeBlocks, ExpandBlocks, PanelMaker, Tile
from fourcc.kernels.simd.arithmetic import (
    add,
    floats_from_ints,
    ints_of,
    multiply,
    shifted_right,
    subtract,
)
from fourcc.kernels.simd.dot import BIAS
from fourcc.kernels.simd.int32 import bytes_of_ints
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import (
    load_float,
    load_floats,
    load_ints,
    load_word,
    prefetch,
    store,
    store_float,
)
from fourcc.kernels.simd.select import both
from fourcc.kernels.simd.tiles import dot_columns, multiply_add_columns, no_float_columns, no_int_columns, scale_columns
from fourcc.kernels.simd.transpose import transpose

_nothing, _no_dots = no_float_columns[1], no_int_columns[1]


# -- a few activations


def _tile(block: Block, columns: int) -> Tile[tuple[int, int]]:
    """The product of sixteen packed rows with some activations at once, for `packed_small_n`."""
    width, packed, write_scales, affine = block.width, block.packed, block.write_scales, block.affine
    bits, locate_scales, offsets_at = block.group.bits, block.group.locate_scales, block.scales
    nothing = no_float_columns[columns]
    distance = prefetch_distance(columns) if columns == 1 or block.prefetched else 0

    def finish(total: Lanes, dots: Lanes, index: int, where: tuple[int, int, int, int, int]) -> Lanes:
        scales, x_scales, corrections, sums, stride = where
        at, vector = 4 * index, 64 * index
        total = scale_columns(total, dots, load_floats(scales + vector), x_scales + at, corrections + at, stride)
        if affine:
            total = multiply_add_columns(total, load_floats(scales + offsets_at + vector), sums + at, stride)
        return total

    def add_dots(dots: Lanes, codes: Lanes, place: tuple[int, int, int], column: int) -> Lanes:
        x, x_stride, p = place
        if distance:
            prefetch(p + distance + column * packed // width)
        added: Lanes = dot_columns(dots, bytes_of_ints(codes), x + column, x_stride)
        return added

    multiply = block.codes(add_dots, finish, no_int_columns[columns])

    def product(source: tuple[int, int], cols: int, job: int, column: int, rows: int, row: int) -> None:
        p, scratch = source
        x_stride = load_word(job + CODES_STRIDE)
        x = load_word(job + CODES) + column * x_stride
        x_scales, corrections, sums, stride = locate_scales(job, column, round_up(cols))
        total = nothing()
        for begin in range(0, cols, width):
            at = begin >> bits << 2
            write_scales(p, scratch, scratch + offsets_at)
            place = (x + begin, x_stride, p)
            total = multiply(p, place, total, (scratch, x_scales + at, corrections + at, sums + at, stride))
            p += packed
        store_rows(job, column, row, rows, total)

    return product


# -- several


def _store_codes(dots: Lanes, codes: Lanes, out: int, column: int) -> Lanes:
    store(out + ROWS * column, codes)
    return dots


def _expander(block: Block) -> ExpandBlocks:
    """The function that writes the codes, scales and offsets of sixteen packed blocks."""

    def skip(total: Lanes, dots: Lanes, index: int, where: int) -> Lanes:
        return total

    write_scales, write_codes = block.write_scales, block.codes(_store_codes, skip, _no_dots)

    def expand(p: int, codes: int, scales: int, offsets: int) -> None:
        write_scales(p, scales, offsets)
        write_codes(p, codes, _nothing(), 0)

    return expand


def _panel(block: Block) -> PanelMaker:
    width, packed, expand = block.width, block.packed, _expander(block)
    bits, scale_bytes = block.group.bits, block.scales

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
        scales, offsets = scales_of(out, round_up(cols)), offsets_of(out, round_up(cols), bits)
        for each in range(cols // width):
            expand(p, out + ROWS * width * each, scales + scale_bytes * each, offsets + scale_bytes * each)
            p += packed

    return panel


# -- floats


def _floats(block: Block) -> DecodeBlocks:
    """The function that expands sixteen packed blocks to floats, a vector for each column."""
    width, expand, affine, bits = block.width, _expander(block), block.affine, block.group.bits
    zero = 128 if block.zero is None else block.zero
    lifted = 128 - BIAS if block.zero is None else 0  # makes signed bytes unsigned
    scales_at, offsets_at = ROWS * width, ROWS * width + block.scales
    fours = bits - 2

    def floats(p: int, out: int, scratch: int) -> None:
        expand(p, scratch, scratch + scales_at, scratch + offsets_at)
        mask, zero_point, more = ints_of(255), ints_of(zero), ints_of(lifted)
        for four in range(width >> 2):
            words, at = load_ints(scratch + 64 * four), four >> fours << 6
            scale = load_floats(scratch + scales_at + at)
            for byte in range(4):
                code = subtract(both(add(shifted_right(words, 8 * byte), more), mask), zero_point)
                w = multiply(scale, floats_from_ints(code))
                if affine:
                    w = add(w, load_floats(scratch + offsets_at + at))
                store(out + 64 * (4 * four + byte), w)

    return floats


def _float_panel(block: Block) -> PanelMaker:
    width, packed, floats = block.width, block.packed, _floats(block)

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
        for col in range(0, cols, width):
            floats(p, out + 64 * col, scratch)
            p += packed

    return panel


def _decoder(block: Block) -> KernelFunction:
    """The kernel that decodes stored rows.

    It packs sixteen of them in scratch memory, a block at a time, decodes that block, and transposes the floats.
    """
    width, size, pack, floats = block.width, block.size, block_packer(block), _floats(block)
    packed_at = block.expanded
    floats_at = packed_at + block.packed
    transposed_at = floats_at + 64 * width

    def decode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks, stride = load_word(weights + COLS) // width, load_word(job + OUT_STRIDE)
        for row in range(first, last, ROWS):
            p, out = load_word(weights + PARTS) + row * blocks * size, load_word(job + OUT) + row * stride
            rows = min(ROWS, last - row)
            for each in range(blocks):
                pack(p + size * each, size * blocks, rows, scratch + packed_at, scratch + floats_at)
                floats(scratch + packed_at, scratch + floats_at, scratch)
                for col in range(0, width, 16):
                    transpose(scratch + floats_at + 64 * col, 64, scratch + transposed_at)
                    for lane in range(rows):
                        to = out + lane * stride + 4 * (width * each + col)
                        store(to, load_floats(scratch + transposed_at + 64 * lane))

    return decode


def _gather(block: Block) -> KernelFunction:
    """The kernel that decodes rows of the packed matrix, one by one."""
    width, packed, floats = block.width, block.packed, _floats(block)
    floats_at = block.expanded

    def gather(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols, listed = load_word(weights + COLS), load_word(job + X)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            p = load_word(weights + PARTS) + (row >> 4) * (cols // width) * packed
            out = load_word(job + OUT) + index * load_word(job + OUT_STRIDE)
            for begin in range(0, cols, width):
                floats(p, scratch + floats_at, scratch)
                for col in range(width):
                    store_float(out + 4 * (begin + col), load_float(scratch + floats_at + 64 * col + 4 * (row & 15)))
                p += packed

    return gather


def packed_kernel(block: Block, *, encoder: Encoder) -> Kernel:
    """The kernel of a format of ggml's blocks.

    Args:
        block: the format's.
        encoder: encodes rows, see `Kernel`.
    """
    width, bits, size = block.width, block.group.bits, block.packed
    small_n = packed_small_n(partial(_tile, block), lambda cols: cols // width * size)
    several = integer_product(_panel(block), affine=block.affine, group=block.group)
    zero = BIAS if block.zero is None else block.zero
    by_16 = bits == scales_per_16.GROUPS_OF_16.bits
    own = block.expanded + block.packed + 64 * width + 1024

    def packed(rows: int, cols: int) -> int:
        return -(-rows // ROWS) * (cols // width) * block.packed

    def scratch(cols: int) -> int:
        return max(integer_scratch(cols, bits), float_scratch(cols)) + own

    return Kernel(
        "native",
        scales_per_16.int8_activations(zero) if by_16 else integer_gemm.int8_activations(zero),
        choose_by_count(PACKED_ROWS, small_n, several),
        float_panels(_float_panel(block)),
        _gather(block),
        scratch,
        ("blocks",),
        pack=packer(block),
        packed=packed,
        decode=_decoder(block),
        encoder=encoder,
    )
