"""What formats of blocks along a row share: cutting rows of which the last block may be short, encoding in batches."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np

from fourcc.format import Array

BATCH = 2048  # blocks


@attrs.frozen
class Run:
    """Neighbouring blocks of one width.

    Attributes:
        blocks: which of the row's blocks.
        columns: which of its columns; `count` times `width` of them.
        count: number of blocks.
        width: columns of each.
    """

    blocks: slice
    columns: slice
    count: int
    width: int


def row_blocks(cols: int, width: int) -> Iterator[Run]:
    """The blocks of a row: the full ones as one run, then the short one, where there are any.

    >>> list(row_blocks(20, 8))[0]
    Run(blocks=slice(0, 2, None), columns=slice(0, 16, None), count=2, width=8)
    """
    full, rest = divmod(cols, width)
    if full:
        yield Run(slice(0, full), slice(0, full * width), full, width)
    if rest:
        yield Run(slice(full, full + 1), slice(full * width, cols), 1, rest)


def in_batches(w: Array, dtype: np.dtype[Any], encode: Callable[[Array, Array], None]) -> Array:
    """Blocks of one record each, encoded some thousand at a time, so that what lies between stays in the cache.

    Args:
        w: weights (blocks, width).
        dtype: of a block's record.
        encode: (weights, records) fills the records of some blocks.

    Returns:
        The records (blocks,).
    """
    blocks = np.empty(len(w), dtype)
    for first in range(0, len(w), BATCH):
        encode(w[first : first + BATCH], blocks[first : first + BATCH])
    return blocks


def in_weighted_batches(
    w: Array, weights: Array | None, dtype: np.dtype[Any], encode: Callable[[Array, Array | None, Array], None]
) -> Array:
    """The same for encoders that weigh errors; batches of as many weights, whatever the blocks' width.

    Args:
        w: weights (blocks, width).
        weights: what each error counts, (blocks, width), or None.
        dtype: of a block's record.
        encode: (weights, error weights, records) fills the records of some blocks.

    Returns:
        The records (blocks,).
    """
    blocks, step = np.empty(len(w), dtype), max(1, 32 * BATCH // w.shape[1])
    for first in range(0, len(w), step):
        some = slice(first, first + step)
        encode(w[some], None if weights is None else weights[some], blocks[some])
    return blocks
