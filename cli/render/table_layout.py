"""Places of a table's columns on a narrow terminal: on which line of a row each stands, and which are left out.

No cell is cut. Columns that matter least are left out first; if the others still do not fit, a row takes several lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

GAP, INDENT = 2, 2  # columns between cells, and before the cells of a row's further lines
BEST_LINES = 2  # lines of a row that are better than a column left out; more are not


class ColumnRoom(NamedTuple):
    """Demands of a column.

    Attributes:
        width: columns of its longest cell.
        least: columns that it can do with, as its cells can be wrapped; `width` if they cannot.
        leave: its turn to be left out: 1 goes first, 0 never goes.
    """

    width: int
    least: int
    leave: int


class TableLayout(NamedTuple):
    """The places of columns.

    Attributes:
        lines: numbers of the columns, a line of a row each.
        widths: columns of the terminal that each column of the table takes.
        hidden: numbers of the columns that are left out.
    """

    lines: tuple[tuple[int, ...], ...]
    widths: tuple[int, ...]
    hidden: tuple[int, ...] = ()


def layout(places: Sequence[ColumnRoom], limit: int | None) -> TableLayout:
    """The layout of a table.

    Args:
        places: the demands, a column each.
        limit: columns of the terminal; None: no limit, so a row is a line.
    """
    everything = tuple(range(len(places)))
    if limit is None:
        return TableLayout((everything,), tuple(place.width for place in places))
    order = sorted((index for index in everything if places[index].leave), key=lambda index: places[index].leave)
    for most in range(1, BEST_LINES + 1):
        for count in range(len(order) + 1):
            found = _without(places, order[:count], limit)
            if len(found.lines) <= most:
                return found
    return _without(places, order, limit)


def _without(places: Sequence[ColumnRoom], hidden: Sequence[int], limit: int) -> TableLayout:
    lines = _flowed(places, [index for index in range(len(places)) if index not in hidden], limit)
    return TableLayout(lines, _widths(places, lines, limit), tuple(sorted(hidden)))


def _flowed(places: Sequence[ColumnRoom], kept: Sequence[int], limit: int) -> tuple[tuple[int, ...], ...]:
    """Columns in their order, as many on a line as fit."""
    lines: list[list[int]] = [[]]
    room = limit
    for index in kept:
        if lines[-1] and room < places[index].least:
            lines.append([])
            room = limit - INDENT
        lines[-1].append(index)
        room -= places[index].least + GAP
    return tuple(map(tuple, lines))


def _widths(places: Sequence[ColumnRoom], lines: Sequence[Sequence[int]], limit: int) -> tuple[int, ...]:
    """The width of each column; what a line leaves over goes to the columns whose cells are wrapped."""
    widths = [place.least for place in places]
    for number, line in enumerate(lines):
        over = limit - (INDENT if number else 0) - sum(places[index].least + GAP for index in line) + GAP
        for index in line:
            more = max(0, min(over, places[index].width - places[index].least))
            widths[index] += more
            over -= more
    return tuple(widths)
