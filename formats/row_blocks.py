"""How a row is cut into blocks of which the last may be short."""

from collections.abc import Iterator

import attrs


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
