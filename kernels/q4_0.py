"""Q4_0: blocks of 32 codes of 4 bits, packed for products: 16 rows are interleaved.

::

    packed   (rows / 16, cols / 32) blocks of 288 bytes
    byte     0       64      128     192     256                  288
             | v0    | v1    | v2    | v3    | 16 float16 scales  |

    v_j holds 4 bytes of each of 16 rows: low nibbles are columns 4 j .. 4 j + 3 of the block, high nibbles 16 more

The bytes are the stored ones in another order. A stored block takes 18 bytes, and every product would have to reorder
its codes. Packed, one load serves 16 rows, and no sum crosses lanes. Rows that fill up the last sixteen have scale 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourcc.kernels.descriptors import (
    CODES,
    CODES_STRIDE,
    COLS,
    OUT,
    PARTS,
    SCALES,
    SCALES_STRIDE,
    ZERO_CORRECTIONS,
    round_up,
)
from fourcc.kernels.encoders.q4_0_q8_0 import decode_four_bits, encode_four_bits
from fourcc.kernels.products.crossover import PACKED_ROWS
from fourcc.kernels.products.integer_gemm import integer_kernel
from fourcc.kernels.products.panel_gemm import packed_small_n, store_rows
from fourcc.kernels.products.panels import scales_of
from fourcc.kernels.products.prefetch import prefetch_distance
from fourcc.kernels.products.row_gemv import decoder
from fourcc.kernels.products.signatures import Tile
from fourcc.kernels.simd.int8 import high_nibbles, low_nibbles
from fourcc.kernels.simd.load_wide import load_float16, load_float16s
from fourcc.kernels.simd.memory import (
    load_byte,
    load_bytes,
    load_int,
    load_word,
    prefetch,
    store,
    store_byte,
    store_float,
    store_int,
)
from fourcc.kernels.simd.tiles import (
    dot_columns,
    no_float_columns,
    no_int_columns,
    scale_columns,
)

STORED = 18  # bytes of a stored block
PACKED = 288  # bytes of a packed block
SCALES_AT = 256  # byte of a packed block at which its scales begin
ROWS = 16
ZERO_POINT = 8


def packed_bytes(rows: int, cols: int) -> int:
    """Bytes of the packed layout."""
    return -(-rows // ROWS) * (cols // 32) * PACKED


def _pack(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Rows first .. last, `first` a multiple of 16; rows that are missing in the last sixteen become zeros."""
    blocks = load_word(weights + COLS) >> 5
    source, out = load_word(weights + PARTS), load_word(job + OUT)
    for row in range(first, (last + 15) >> 4 << 4):
        p = source + row * blocks * STORED
        q = out + (row >> 4) * blocks * PACKED
        lane = row & 15
        for block in range(blocks):
            _pack_block(p + STORED * block, q + PACKED * block, lane, row < last)


def _pack_block(p: int, q: int, lane: int, present: bool) -> None:  # noqa: FBT001 - a kernel has no keywords
    for j in range(4):
        store_int(q + 64 * j + 4 * lane, load_int(p + 2 + 4 * j) if present else 0)
    for j in range(2):
        store_byte(q + SCALES_AT + 2 * lane + j, load_byte(p + j) if present else 0)


def _tile(columns: int) -> Tile[tuple[int, int]]:
    """The product of sixteen packed rows with some activations at once, for `packed_small_n`.

    A block takes eight dot products and one scaling for each activation.
    """
    nothing, zeros, distance = no_float_columns[columns], no_int_columns[columns], prefetch_distance(columns)

    def product(source: tuple[int, int], cols: int, job: int, column: int, rows: int, row: int) -> None:
        p, _ = source
        x_stride, stride = load_word(job + CODES_STRIDE), load_word(job + SCALES_STRIDE)
        x = load_word(job + CODES) + column * x_stride
        x_scales, corrections = (
            load_word(job + SCALES) + column * stride,
            load_word(job + ZERO_CORRECTIONS) + column * stride,
        )
        total = nothing()
        for block in range(cols >> 5):
            dots, at = zeros(), x + 32 * block
            for j in range(4):
                pair = load_bytes(p + 64 * j)
                if distance:
                    prefetch(p + 64 * j + distance)
                dots = dot_columns(dots, low_nibbles(pair), at + 4 * j, x_stride)
                dots = dot_columns(dots, high_nibbles(pair), at + 16 + 4 * j, x_stride)
            scales = load_float16s(p + SCALES_AT)
            total = scale_columns(total, dots, scales, x_scales + 4 * block, corrections + 4 * block, stride)
            p += PACKED
        store_rows(job, column, row, rows, total)

    return product


def _panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
    """Widens nibbles to bytes; they are in the panel's order already."""
    cols = load_word(weights + COLS)
    scales = scales_of(out, round_up(cols))
    p = load_word(weights + PARTS) + (row >> 4) * (cols >> 5) * PACKED
    for block in range(cols >> 5):
        for j in range(4):
            pair = load_bytes(p + 64 * j)
            store(out + 512 * block + 64 * j, low_nibbles(pair))
            store(out + 512 * block + 256 + 64 * j, high_nibbles(pair))
        store(scales + 64 * block, load_float16s(p + SCALES_AT))
        p += PACKED


def _decode(weights: int, row: int, out: int) -> None:
    """Decodes a row of the packed layout."""
    blocks = load_word(weights + COLS) >> 5
    p = load_word(weights + PARTS) + (row >> 4) * blocks * PACKED
    lane = row & 15
    for block in range(blocks):
        d = load_float16(p + SCALES_AT + 2 * lane)
        for j in range(4):
            at = p + 64 * j + 4 * lane
            for byte in range(4):
                pair = load_byte(at + byte)
                to = out + 128 * block + 16 * j + 4 * byte
                store_float(to, d * np.float32((pair & 15) - ZERO_POINT))
                store_float(to + 64, d * np.float32((pair >> 4) - ZERO_POINT))
        p += PACKED


_PRODUCTS = integer_kernel(
    packed_small_n(_tile, lambda cols: (cols >> 5) * PACKED),
    PACKED_ROWS,
    _panel,
    _decode,
    zero=ZERO_POINT,
    parts=("blocks",),
    pack=_pack,
    packed=packed_bytes,
)
KERNEL = replace(_PRODUCTS, decode=decoder(decode_four_bits), encoder=encode_four_bits)
