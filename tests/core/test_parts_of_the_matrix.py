"""A part of the whole matrix is the same in each call of an encoder, or the blocks before are decoded with another."""

import numpy as np
import pytest

from fourcc.arrays import Array, Parts
from fourcc.encoding import encode
from fourcc.errors import PluginError
from fourcc.format import Blocks, Format
from fourcc.part import packed, per_matrix
from tests.core.fakes import installed


def with_its_own_book(blocks: Blocks) -> Parts:
    """The quantiles of the blocks at hand, where `prepare` should have taken those of the matrix."""
    book = np.quantile(blocks.w, np.arange(16) / 15).astype(np.float32)
    return {"book": book, "codes": np.abs(blocks.w[..., None] - book).argmin(axis=-1)}


def decode_block(book: Array, codes: Array, weights: Array) -> None:
    """Entries of the book."""
    weights[:] = book[codes]


BOOK = Format(
    tag="Bokx",
    summary="a book for the matrix",
    block=16,
    parts=(per_matrix("book", "<f4", 16), packed("codes", bits=4)),
    encode=with_its_own_book,
    decode_block=decode_block,
)


def test_a_book_of_the_short_blocks_is_refused() -> None:
    """They come in a call of their own."""
    w = np.random.default_rng(0).standard_normal((4, 40)).astype(np.float32)
    with installed(BOOK):
        encode(w[:, :32], "Bokx")
        with pytest.raises(
            PluginError, match="other entries in part 'book' than for the blocks before, expected the same"
        ):
            encode(w, "Bokx", name="wq")
