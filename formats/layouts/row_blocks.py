"""Blocks along a row: cuts rows whose last block may be short, and encodes records in batches."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np

from fourcc.dtypes import Field
from fourcc.format import Array

BATCH = 1 << 16  # weights that are encoded at a time, so that intermediate results stay in the cache


@attrs.frozen
class BlockRun:
    """Neighbouring blocks of one width.

    Attributes:
        blocks: the blocks' places in the row.
        columns: their columns in the row, `count` times `width` of them.
        count: number of blocks.
        width: columns of a block.
    """

    blocks: slice
    columns: slice
    count: int
    width: int


def row_blocks(cols: int, width: int) -> Iterator[BlockRun]:
    """The blocks of a row: one run of all full blocks, then the short block; either may be missing.

    >>> list(row_blocks(20, 8))[0]
    BlockRun(blocks=slice(0, 2, None), columns=slice(0, 16, None), count=2, width=8)
    """
    full, rest = divmod(cols, width)
    if full:
        yield BlockRun(slice(0, full), slice(0, full * width), full, width)
    if rest:
        yield BlockRun(slice(full, full + 1), slice(full * width, cols), 1, rest)


def in_batches(tile: Array, width: int, fields: tuple[Field, ...], encode: Callable[[Array, Array], None]) -> Array:
    """Encodes a tile into records, one a block.

    Args:
        tile: weights (rows, cols).
        width: columns of a block.
        fields: of a record.
        encode: (weights (n, width), records (n,)) fills the records of some blocks.

    Returns:
        The records (rows, cols / width).
    """
    return in_weighted_batches(tile, None, width, fields, lambda w, _, records: encode(w, records))


def in_weighted_batches(
    tile: Array,
    weights: Array | None,
    width: int,
    fields: tuple[Field, ...],
    encode: Callable[[Array, Array | None, Array], None],
) -> Array:
    """Encodes a tile into records, one a block, with errors that count differently.

    Args:
        tile: weights (rows, cols).
        weights: what the error of each weight counts, (blocks, width), or None.
        width: columns of a block.
        fields: of a record.
        encode: (weights (n, width), error weights (n, width) or None, records (n,)) fills the records of some blocks.

    Returns:
        The records (rows, cols / width).
    """
    w = tile.reshape(-1, width)  # (blocks, width)
    dtype: np.dtype[Any] = np.dtype(list(fields))
    records, step = np.empty(len(w), dtype), max(1, BATCH // width)
    for first in range(0, len(w), step):
        some = slice(first, first + step)
        encode(w[some], None if weights is None else weights[some], records[some])
    return records.reshape(len(tile), -1)
