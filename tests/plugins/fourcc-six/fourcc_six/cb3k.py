"""Cb3k: a book of eight values that is learnt for each matrix, one float16 scale for 64 weights along a row.

::

    block of up to 64 weights along a row; 3.25 bits per weight
    book     (8,) float16                      of the whole matrix, ascending
    scale    (rows, ceil(cols / 64)) float16   the largest |w| of the block
    codes    3 bits a weight                   which value of the book

Decode: w = scale * book[code]. Encode: the value that is nearest to w / scale. The book: k-means over all w / scale.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Original, Parts, packed, per_block, per_matrix


def decode_block(book: Array, scale: Array, codes: Array, weights: Array) -> None:
    """The book, a scale and 64 codes -> 64 weights."""
    weights[:] = scale * book[codes]


def units(w: Floats) -> tuple[Array, Array]:
    """The scales (blocks,) of weights (blocks, 64), and the weights divided by them."""
    scale = w[np.arange(len(w)), np.abs(w).argmax(axis=1)]
    return scale, w / np.where(scale == 0, 1, scale)[:, None]


def nearest(book: Array, unit: Array) -> Array:
    """The codes of the nearest values."""
    return np.searchsorted((book[1:] + book[:-1]) / 2, unit)


def prepare(original: Original) -> Array:
    """The book, learnt in 20 rounds from runs of 64 weights; the last run goes on with the matrix's first weights."""
    w = original.rows(0, original.geom.rows)
    unit = units(np.resize(w, (-(-w.size // 64), 64)))[1].reshape(-1)
    book = np.quantile(unit, np.linspace(0, 1, 8))
    for _ in range(20):
        code = nearest(book, unit)
        book = np.sort(np.bincount(code, unit, 8) / np.maximum(1, np.bincount(code, minlength=8)))
    return book.astype(np.float16)


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> the book, scales (blocks,) and codes (blocks, 64)."""
    scale, unit = units(blocks.w)
    return {"book": blocks.shared, "scale": scale, "codes": nearest(blocks.shared, unit)}


CB3K = Format(
    tag="Cb3k",
    summary="a book of 8 values learnt for each matrix, float16 scale for 64",
    block=64,
    parts=(per_matrix("book", "<f2", 8), per_block("scale", "<f2"), packed("codes", bits=3)),
    decode_block=decode_block,
    prepare=prepare,
    encode=encode,
)
