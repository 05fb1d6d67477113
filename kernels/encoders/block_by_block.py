"""Encoders of formats whose blocks, or numbers, are encoded independently of each other."""

from __future__ import annotations

from collections.abc import Callable

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import COLS, PARTS, X_STRIDE, X
from fourcc.kernels.kernel import Encoder
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_floats, load_word
from fourcc.kernels.simd.partial import load_some_floats

EncodeBlock = Callable[[int, int, int], None]  # (x, block, scratch)
SCRATCH = 1 << 16  # bytes of scratch memory that suffice for encoding, decoding and measuring, however wide a row is


def without_options(kernel: KernelFunction) -> Encoder:
    """The encoder of a format without options."""
    return lambda options: kernel  # noqa: ARG005 - the signature of encoders


def block_by_block(width: int, size: int, encode_block: EncodeBlock) -> Encoder:
    """The encoder of independent blocks along a row.

    Args:
        width: columns of a block, a power of two.
        size: bytes of a block.
        encode_block: (x, block, scratch) fills a block from the floats at x.
    """
    bits = width.bit_length() - 1

    def encode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks = load_word(weights + COLS) >> bits
        for row in range(first, last):
            x = load_word(job + X) + row * load_word(job + X_STRIDE)
            p = load_word(weights + PARTS) + row * blocks * size
            for _ in range(blocks):
                encode_block(x, p, scratch)
                x += 4 * width
                p += size

    return without_options(encode)


def narrowed(store: Callable[[int, Lanes], None], store_some: Callable[[int, Lanes, int], None], width: int) -> Encoder:
    """The encoder of a plain format, which narrows every number.

    Args:
        store: (address, floats) stores 16 numbers.
        store_some: (address, floats, count) stores the first `count` of 16 numbers.
        width: bytes of a stored number.
    """

    def encode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        whole = cols >> 4 << 4
        for row in range(first, last):
            x = load_word(job + X) + row * load_word(job + X_STRIDE)
            p = load_word(weights + PARTS) + row * cols * width
            for col in range(0, whole, 16):
                store(p + width * col, load_floats(x + 4 * col))
            if whole < cols:
                store_some(p + width * whole, load_some_floats(x + 4 * whole, cols - whole), cols - whole)

    return without_options(encode)
