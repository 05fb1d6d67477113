"""Tables and facts in plain text, at any width: aligned columns, two spaces between them, no lines.

On a terminal a table is as wide as the terminal, and no name or number is cut: see `table_layout`. Elsewhere, as in a
pipe, a row is one line with all columns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from fourcc.cli.render import terminal
from fourcc.cli.render.table_layout import INDENT, ColumnRoom, TableLayout, layout
from fourcc.cli.render.text_width import longest_word, text_width, wrapped

GAP = "  "
HANGING = 30  # columns that a fact's value needs beside its name; if there are fewer, it stands below
DOTS = "..."

Style = Callable[[str], tuple[str, ...]]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: the head.
        right: whether cells are numbers, which are right-aligned.
        leave: its turn to be left out on a narrow terminal: 1 goes first, 0 stays.
        wraps: columns that a cell needs at least, as it is a sentence that can be wrapped; 0: a cell stays in one line.
        note: a line below the table, which explains the column where it is shown.
        style: from a cell to the names of its style.
    """

    title: str
    right: bool = False
    leave: int = 0
    wraps: int = 0
    note: str = ""
    style: Style | None = None


def limit() -> int | None:
    """Columns of the terminal that stdout leads to; None: it leads elsewhere, where a line has no limit."""
    return terminal.width(sys.stdout) if terminal.on_terminal(sys.stdout) else None


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    """Writes a table to stdout, fitted to the terminal if there is one. Returns the columns that are shown.

    A line below it names the columns that a wider terminal shows.
    """
    cells = [list(map(terminal.safe, row)) for row in rows]
    most = limit()
    found = layout(_places(columns, cells, most), most)
    terminal.out("\n".join(_lines(columns, cells, found)))
    if found.hidden:
        paragraph(f"wider terminals also show: {', '.join(columns[index].title for index in found.hidden)}")
    return tuple(column for index, column in enumerate(columns) if index not in found.hidden)


def explain(columns: Sequence[Column]) -> None:
    """Writes the notes of columns to stdout, each once, behind the titles that share it."""
    for note in dict.fromkeys(column.note for column in columns if column.note):
        paragraph(f"{', '.join(column.title for column in columns if column.note == note)}: {note}")


def facts(pairs: Sequence[tuple[str, str]], otherwise: int | None = None) -> None:
    """Writes lines of a name and its value to stdout; a value that does not fit goes on below itself.

    Args:
        pairs: names and values.
        otherwise: columns of a line where stdout is no terminal; None: no limit.
    """
    wide, most = max((text_width(name) for name, _ in pairs), default=0), limit() or otherwise
    for name, value in pairs:
        terminal.out("\n".join(_fact(name, terminal.safe(value), wide, most)))


def paragraph(text: str, *, style: tuple[str, ...] = ()) -> None:
    """Writes a text to stdout, wrapped to the terminal if there is one; its further lines are indented."""
    text, most = terminal.safe(text), limit()
    lines = [text] if most is None else wrapped(text, most)
    if most is not None and len(lines) > 1:
        first = lines[0]
        lines = [first, *(f"{'':{INDENT}}{line}" for line in wrapped(text[len(first) :].lstrip(), most - INDENT))]
    for line in lines:
        terminal.out(terminal.styled(line, *style))


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int | None = None) -> Iterator[str]:
    """The lines of a table.

    Args:
        columns: one for each cell of a row.
        rows: the cells. They may come from a file, and are made safe here.
        limit: columns of the terminal; None: no limit.
    """
    cells = [list(map(terminal.safe, row)) for row in rows]
    return _lines(columns, cells, layout(_places(columns, cells, limit), limit))


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


def _places(columns: Sequence[Column], cells: Sequence[Sequence[str]], most: int | None) -> list[ColumnRoom]:
    places = []
    for column, *texts in zip(columns, *cells, strict=True):
        width = least = max(map(text_width, [column.title, *texts]))
        if column.wraps and most is not None:
            words = max(map(longest_word, [column.title, *texts]))
            least = min(width, max(min(column.wraps, most - INDENT), words))
        places.append(ColumnRoom(width, least, column.leave))
    return places


def _lines(columns: Sequence[Column], cells: Sequence[Sequence[str]], found: TableLayout) -> Iterator[str]:
    yield from _row(columns, [column.title for column in columns], found, lambda _: ("bold",))
    for row in cells:
        yield from _row(columns, row, found)


def _row(
    columns: Sequence[Column], cells: Sequence[str], found: TableLayout, style: Style | None = None
) -> Iterator[str]:
    """The lines of a row: those of its first columns, then the others, indented. Further lines have at least a cell."""
    for number, line in enumerate(found.lines):
        texts = [wrapped(cells[i], found.widths[i]) if columns[i].wraps else [cells[i]] for i in line]
        sides = [(columns[i], found.widths[i], style or columns[i].style) for i in line]
        if number == 0 or any(cells[i] for i in line):
            for pieces in zip_longest(*texts, fillvalue=""):
                yield " " * INDENT * bool(number) + _line(pieces, sides)


def _line(cells: Sequence[str], sides: Sequence[tuple[Column, int, Style | None]]) -> str:
    """Cells side by side. Blanks are counted without styles, and none stand at the end."""
    shown, blanks = "", 0
    for cell, (column, width, style) in zip(cells, sides, strict=True):
        room = max(0, width - text_width(cell))
        if cell:
            before = room if column.right else 0
            shown += " " * (blanks + before) + terminal.styled(cell, *(style(cell) if style else ()))
            blanks = room - before + len(GAP)
        else:
            blanks += width + len(GAP)
    return shown.rstrip()


def _fact(name: str, value: str, wide: int, most: int | None) -> Iterator[str]:
    head = terminal.styled(name, "bold") + " " * (wide - text_width(name)) + GAP
    beside = None if most is None else most - wide - len(GAP)
    if most is None or beside is None or text_width(value) <= beside:
        yield f"{head}{value}" if value else head.rstrip()
        return
    if beside >= max(HANGING, longest_word(value)):
        first, *rest = wrapped(value, beside)
        yield f"{head}{first}"
        yield from (" " * (wide + len(GAP)) + line for line in rest)
    else:
        yield head.rstrip()
        yield from (f"{'':{INDENT}}{line}" for line in wrapped(value, most - INDENT))
