"""Cb3k: a book of eight values that is learnt for each matrix, one float16 scale for 64 weights along a row.

::

    block of up to 64 weights along a row; 3.25 bits per weight
    book     (8,) float16                      of the whole matrix, ascending
    scale    (rows, ceil(cols / 64)) float16   the weight of largest magnitude, with its sign
    codes    3 bits a weight                   which value of the book

Decode: w = scale * book[code], in float32. Encode: the value that is nearest to w / scale. The book is learnt from
w / scale of the first block of each row, by 20 rounds of k-means.
"""

import numpy as np

from fourcc import Array, Blocks, Format, Original, Parts, packed, per_block, per_matrix


def decode_block(book: Array, scale: Array, codes: Array, weights: Array) -> None:
    """The book, a scale and 64 codes -> 64 weights."""
    weights[:] = scale * book[codes]


def prepare(original: Original) -> Array:
    """The book of a matrix, (8,)."""
    w = original.rows(0, original.geom.rows)[:, :64] + np.float32(1e-30)  # where all are 0, one is the largest, too
    unit = (w / w[np.arange(len(w)), np.abs(w).argmax(axis=1), None]).reshape(-1)
    book = np.quantile(unit, np.linspace(0, 1, 8))
    for _ in range(20):
        code = np.searchsorted(book[1:] + book[:-1], 2 * unit)
        book = np.sort(np.bincount(code, unit, 8) / np.bincount(code, minlength=8).clip(1))
    return book


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> the book, scales (blocks,) and codes (blocks, 64)."""
    scale = blocks.w[np.arange(len(blocks.w)), np.abs(blocks.w).argmax(axis=1)]
    book, unit = blocks.shared, blocks.w / np.where(scale == 0, 1, scale)[:, None]
    return {"book": book, "scale": scale, "codes": np.searchsorted(book[1:] + book[:-1], 2 * unit)}


CB3K = Format(
    tag="Cb3k",
    summary="a book of 8 values learnt for each matrix, float16 scale for 64",
    block=64,
    parts=(per_matrix("book", "<f2", 8), per_block("scale", "<f2"), packed("codes", bits=3)),
    decode_block=decode_block,
    prepare=prepare,
    encode=encode,
)
