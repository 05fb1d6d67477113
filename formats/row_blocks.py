"""How a row is cut into blocks of which the last may be short."""

from collections.abc import Iterator

Span = tuple[slice, slice]


def row_blocks(cols: int, width: int) -> Iterator[Span]:
    """Runs of blocks of one width: the full blocks together, then the short one.

    >>> list(row_blocks(300, 128))
    [(slice(0, 2, None), slice(0, 256, None)), (slice(2, 3, None), slice(256, 300, None))]

    Yields:
        The run's blocks, and its columns.
    """
    full = cols // width
    if full:
        yield slice(0, full), slice(0, full * width)
    if cols % width:
        yield slice(full, full + 1), slice(full * width, cols)
