"""The top bits of a block's 32 codes, in one word as ggml has them: bit j belongs to weight j."""

import numpy as np

from fourcc import Array, Parts

BITS = np.arange(32)


def bits_of(words: Array) -> Array:
    """The bits of the words of a tile's blocks: uint32 (rows, blocks) -> uint8 (rows, 32 blocks)."""
    bits: Array = (words[..., None] >> np.arange(32, dtype=np.uint32) & 1).astype(np.uint8)
    return bits.reshape(len(words), -1)


def word_of(bits: Array) -> Array:
    """The words of blocks: 0 or 1, (blocks, 32) -> uint32 (blocks,)."""
    words: Array = np.packbits(np.ascontiguousarray(bits), axis=1, bitorder="little").view("<u4")[:, 0]
    return words


def with_top_bits(parts: Parts, bits: Array) -> Parts:
    """Parts of their own whose records `blocks` get other top bits, 0 or 1, (rows, cols)."""
    high = parts["blocks"]["high"]
    high[...] = word_of(bits.astype(np.uint8).reshape(-1, len(BITS))).reshape(high.shape)
    return parts
