"""Tables: records become a table that a screen reader can read, and that the page's script can sort and filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import attrs

from fourcc.drawing.markup import element, number, text

NOTHING = "\N{EN DASH}"  # an absent value


@attrs.frozen
class Markup:
    """A cell whose markup is ready.

    Attributes:
        markup: HTML that is safe.
        order: the value by which its row is sorted; None: as absent.
    """

    markup: str
    order: float | str | None = None


def table(
    records: Sequence[Mapping[str, object]],
    *,
    caption: str = "",
    titles: Mapping[str, str] | None = None,
    ids: Sequence[str] = (),
    sortable: bool = False,
) -> str:
    """A table of records; numbers are on the right, None is a dash.

    Args:
        records: one a row. The columns are the keys of the first, in its order; its first one names the rows.
        caption: the table's title; empty: none.
        titles: key -> heading, where it is not the key itself.
        ids: of the rows, in their order; none: no row has one.
        sortable: whether the page's script may sort and filter the rows.

    Returns:
        A ``<table>``; an empty text where there are no records.
    """
    if not records:
        return ""
    columns = list(records[0])
    right = {key for key in columns[1:] if _holds_numbers([record.get(key) for record in records])}
    heads = [
        element("th", text((titles or {}).get(key, key)), scope="col", class_="fc-n" if key in right else None)
        for key in columns
    ]
    rows = [
        _row(record, columns, right, ids[place] if ids else None, sorts=sortable)
        for place, record in enumerate(records)
    ]
    return element(
        "table",
        element("caption", text(caption)) if caption else "",
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
        class_="fc-table fc-sortable" if sortable else "fc-table",
    )


def facts(pairs: Mapping[str, object]) -> str:
    """Names and values, one below the other, as a description list."""
    rows = [element("dt", text(name)) + element("dd", _shown(value)) for name, value in pairs.items()]
    return element("dl", *rows, class_="fc-facts") if rows else ""


def _holds_numbers(values: Sequence[object]) -> bool:
    known = [value for value in values if value is not None]
    orders = [value.order if isinstance(value, Markup) else value for value in known]
    return bool(known) and all(isinstance(order, (int, float)) and not isinstance(order, bool) for order in orders)


def _row(record: Mapping[str, object], columns: list[str], right: set[str], name: str | None, *, sorts: bool) -> str:
    cells = []
    for place, key in enumerate(columns):
        value = record.get(key)
        cells.append(
            element(
                "td" if place else "th",
                _shown(value),
                scope=None if place else "row",
                class_="fc-n" if key in right else None,
                data_o=_order(value) if sorts else None,
            )
        )
    return element("tr", *cells, id=name)


def _shown(value: object) -> str:
    if isinstance(value, Markup):
        return value.markup
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return number(value) if isfinite(value) else text(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else text(value)


def _order(value: object) -> str | None:
    """The value to sort by, where the text of the cell does not do."""
    if isinstance(value, Markup):
        return None if value.order is None else str(value.order)
    return str(value) if isinstance(value, (int, float)) else None


def bar(share: float) -> str:
    """A bar as long as a share from 0 to 1, for a cell; the number beside it says the same."""
    length = round(100 * min(1.0, max(0.0, share)), 2)
    filled = element("path", d=f"M0 0h{length}v8H0z", class_="fc-bars")
    ground = element("path", d="M0 0h100v8H0z", class_="fc-ground")
    return element(
        "svg", ground, filled, viewBox="0 0 100 8", class_="fc-share", aria_hidden="true", preserveAspectRatio="none"
    )
