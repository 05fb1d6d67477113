"""Plain text tables: aligned columns, two spaces between them, no lines and no colour."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fourcc.cli.render import terminal

GAP = "  "
LEAST = 8  # characters that a shortened name keeps at least
DOTS = "..."


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: the head.
        right: whether cells are numbers, which are right-aligned.
        shrinks: whether cells may be shortened in the middle on a narrow terminal.
    """

    title: str
    right: bool = False
    shrinks: bool = False


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Writes a table to stdout, fitted to the terminal if there is one."""
    limit = terminal.width(sys.stdout) if terminal.on_terminal(sys.stdout) else None
    terminal.out("\n".join(lines(columns, rows, limit)))


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Writes lines of a name and its value to stdout."""
    wide = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        terminal.out(f"{name.ljust(wide)}{GAP}{terminal.safe(value)}".rstrip())


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int | None = None) -> Iterator[str]:
    """The lines of a table.

    Args:
        columns: one for each cell of a row.
        rows: the cells. They may come from a file, and are made safe here.
        limit: columns of the terminal; None: no limit.
    """
    cells = [list(map(terminal.safe, row)) for row in rows]
    widths = [max(map(len, [column.title, *texts])) for column, *texts in zip(columns, *cells, strict=True)]
    if limit is not None:
        widths = _fitted(columns, widths, limit)
        cells = [[_cut(*each) for each in zip(row, widths, columns, strict=True)] for row in cells]
    sides = zip(widths, columns, strict=True)
    line = GAP.join(f"{{:{'>' if column.right else '<'}{width}}}" for width, column in sides).format
    for row in ([column.title for column in columns], *cells):
        yield line(*row).rstrip()


def shortened(text: str, size: int) -> str:
    """A text of at most `size` characters; the middle of a longer one is left out.

    >>> shortened("layers.10.attention.wq", 15)
    'layers...ion.wq'
    """
    if len(text) <= size:
        return text
    if size <= len(DOTS) + 1:
        return text[:size]
    end = (size - len(DOTS)) // 2
    return text[: size - len(DOTS) - end] + DOTS + text[len(text) - end :]


def _fitted(columns: Sequence[Column], widths: Sequence[int], limit: int) -> list[int]:
    """The widths of columns. Those that may shrink do so in turn until the table fits or none can."""
    fitted = list(widths)
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - limit
    for index, column in enumerate(columns):
        if column.shrinks and excess > 0:
            given = max(0, min(excess, fitted[index] - LEAST))
            fitted[index] -= given
            excess -= given
    return fitted


def _cut(cell: str, size: int, column: Column) -> str:
    return shortened(cell, size) if column.shrinks else cell
