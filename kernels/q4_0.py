"""Q4_0: blocks of 32 codes of 4 bits, packed for products: 16 rows interleaved.

::

    packed   (rows / 16, cols / 32) blocks of 288 bytes
    byte     0       64      128     192     256                  288
             | v0    | v1    | v2    | v3    | 16 float16 scales  |

    v_j holds 4 bytes of each of 16 rows: low nibbles are columns 4 j .. 4 j + 3 of the block, high ones 16 further on

The bytes are the stored ones in another order. As stored, a block of a row takes 18 bytes, and its codes would have to
be brought into order for each product; here one load serves 16 rows, and no sum crosses lanes. Rows that fill up the
last group have scale 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

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
from fourcc.kernels.products.integer_gemm import integers
from fourcc.kernels.products.panel_gemm import MOST, products_of_groups, store_rows
from fourcc.kernels.products.panels import scales_of
from fourcc.kernels.products.prefetch import ahead_of
from fourcc.kernels.products.row_gemv import decoder
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
SCALES_AT = 256  # where its scales begin
ROWS = 16
ZERO_POINT = 8

Function = Callable[..., Any]


def packed_bytes(rows: int, cols: int) -> int:
    """Bytes of the packed layout."""
    return -(-rows // ROWS) * (cols // 32) * PACKED


def _pack(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Rows first .. last, `first` a multiple of 16; those that are missing in the last group get zeros."""
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


def _columns(columns: int) -> Function:
    """The product of sixteen rows with some activations at once, as `products_of_groups` wants it.

    Each block is eight dot products for each activation and one scaling.
    """
    nothing, zeros, ahead = no_float_columns[columns], no_int_columns[columns], ahead_of(columns)

    def product(group: tuple[int, int], cols: int, job: int, column: int, rows: int, row: int) -> None:
        p, _ = group
        x_step, step = load_word(job + CODES_STRIDE), load_word(job + SCALES_STRIDE)
        x = load_word(job + CODES) + column * x_step
        steps, offsets = load_word(job + SCALES) + column * step, load_word(job + ZERO_CORRECTIONS) + column * step
        total = nothing()
        for block in range(cols >> 5):
            dots, at = zeros(), x + 32 * block
            for j in range(4):
                pair = load_bytes(p + 64 * j)
                if ahead:
                    prefetch(p + 64 * j + ahead)
                dots = dot_columns(dots, low_nibbles(pair), at + 4 * j, x_step)
                dots = dot_columns(dots, high_nibbles(pair), at + 16 + 4 * j, x_step)
            scales = load_float16s(p + SCALES_AT)
            total = scale_columns(total, dots, scales, steps + 4 * block, offsets + 4 * block, step)
            p += PACKED
        store_rows(job, column, row, rows, total)

    return product


def _panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:  # noqa: ARG001
    """Bytes of nibbles to bytes of codes; the order is the panel's already."""
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
    """A row of the packed layout."""
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


_PRODUCTS = integers(
    products_of_groups(_columns, lambda cols: (cols >> 5) * PACKED),
    MOST,
    _panel,
    _decode,
    zero=ZERO_POINT,
    parts=("blocks",),
    pack=_pack,
    packed=packed_bytes,
)
KERNEL = replace(_PRODUCTS, decode=decoder(decode_four_bits), encoder=encode_four_bits)
