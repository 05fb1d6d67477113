"""The map of a model: layers down, kinds of tensors across, coloured by a measure that the reader chooses.

It is a table with links, so it reads without colours, without a script and aloud. Radio buttons and style sheets alone
switch between measures; `fourcc.drawing.styles` has the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import isfinite

import attrs

from fourcc.drawing.markup import LONGEST, element, joined, number, text
from fourcc.drawing.palette import STEPS, Scale
from fourcc.drawing.steps import DIGITS, Classes, classes
from fourcc.errors import shown

HEADING, BESIDE = 40, 120  # characters of a heading, and of a name beside the layers; longer ones are cut
LETTERS: Mapping[Scale, str] = {"bits": "b", "error": "e", "kld": "k"}  # of the classes in the markup


@attrs.frozen
class MapMeasure:
    """A measure that cells are coloured by.

    Attributes:
        scale: whose colours it has; no two measures of a map share one.
        title: for the switch, such as ``bits per weight``.
        note: a sentence about the numbers, below the legend; empty: none.
        falling: whether small values are the strong colours, as of an SQNR.
        ratio: whether a ratio tells how far two values are apart.
        least: the narrowest class of the legend.
    """

    scale: Scale
    title: str
    note: str = ""
    falling: bool = False
    ratio: bool = False
    least: float = 0.0


@attrs.frozen
class MapCell:
    """One tensor, or several that share a cell.

    Attributes:
        name: the tensor's full name, shown when it is pointed at.
        label: the format's tag, or another short text.
        values: scale -> number; one that is absent or None is drawn as a dash, infinity as "exact".
        href: the link that it leads to; empty: none.
        row: the layer; None: beside the layers.
        column: the key of its column; the cell of a tensor beside the layers has its name in its place.
        count: number of tensors in the cell.
        minor: whether it is too small to matter, such as a norm: it has no colour, and takes no part in the legend.
    """

    name: str
    label: str
    values: Mapping[Scale, float | None]
    href: str = ""
    row: int | None = None
    column: str = ""
    count: int = 1
    minor: bool = False


@attrs.frozen
class MapColumn:
    """A column of the map.

    Attributes:
        key: by which cells name it.
        title: the heading.
        group: the heading that it shares with its neighbours; empty: none.
        role: the tensors' role, shown below the heading; empty: none.
    """

    key: str
    title: str
    group: str = ""
    role: str = ""


def layer_map(
    cells: Sequence[MapCell], columns: Sequence[MapColumn], measures: Sequence[MapMeasure], *, key: str, caption: str
) -> str:
    """A map as HTML.

    Args:
        cells: of all tensors; at most one a layer and column.
        columns: from left to right.
        measures: the first is the one that is seen at first.
        key: sets the map apart from others of the page: letters and digits.
        caption: the table's title.
    """
    legends = {
        each.scale: classes(
            _weighty(cells, each.scale),
            ratio=each.ratio,
            least=each.least,
        )
        for each in measures
    }
    painted = {id(cell): _cell(cell, measures, legends) for cell in cells}
    inside = [cell for cell in cells if cell.row is not None]
    beside = [cell for cell in cells if cell.row is None]
    parts = [_switch(measures, key), _legend(measures, legends)]
    if beside:
        items = [_chip(cell, measures, legends) for cell in beside]
        parts.append(element("ul", *items, class_="fc-beside", aria_label="Tensors that belong to no layer"))
    if inside:
        parts.append(_grid(inside, columns, painted, caption))
    return element("div", joined(parts), class_="fc-map", id=f"{key}-map")


def _weighty(cells: Sequence[MapCell], scale: Scale) -> list[float]:
    """The values that the legend divides into classes."""
    values = [cell.values.get(scale) for cell in cells if not cell.minor]
    return [value for value in values if value is not None]


def _switch(measures: Sequence[MapMeasure], key: str) -> str:
    options = [
        element(
            "label",
            element(
                "input",
                type="radio",
                name=f"{key}-by",
                class_=f"fc-by-{each.scale}",
                checked=None if place else "checked",
            ),
            element("span", text(each.title)),
        )
        for place, each in enumerate(measures)
    ]
    return element(
        "fieldset", element("legend", "Colour by"), *options, class_="fc-switch" if len(measures) > 1 else "fc-fixed"
    )


def _legend(measures: Sequence[MapMeasure], legends: Mapping[Scale, Classes]) -> str:
    lists = []
    for each in measures:
        known = legends[each.scale]
        items = [element("li", _swatch(each, known, place) + text(words)) for place, words in enumerate(known.words)]
        note = element("p", text(each.note)) if each.note else ""
        title = element("b", text(each.title))
        lists.append(
            element("div", title, element("ol", *items), note, class_=f"fc-legend fc-v fc-v{LETTERS[each.scale]}")
        )
    return joined(lists)


def _swatch(measure: MapMeasure, known: Classes, place: int) -> str:
    step = known.step(place, falling=measure.falling)
    return element("i", "", class_=f"fc-swatch {LETTERS[measure.scale]}{step}")


def _grid(cells: Sequence[MapCell], columns: Sequence[MapColumn], painted: Mapping[int, str], caption: str) -> str:
    placed = {(cell.row, cell.column): painted[id(cell)] for cell in cells}
    layers = sorted({cell.row for cell in cells if cell.row is not None})
    rows = [
        element(
            "tr",
            element("th", str(layer), scope="row"),
            *(placed.get((layer, column.key)) or element("td", "") for column in columns),
        )
        for layer in layers
    ]
    head = _head(columns)
    table = element("table", element("caption", text(caption)), head, element("tbody", *rows), class_="fc-grid")
    return element("div", table, class_="fc-scroll", tabindex=0, role="region", aria_label=caption)


def _head(columns: Sequence[MapColumn]) -> str:
    groups = [(name, len(list(some))) for name, some in groupby(columns, key=lambda column: column.group)]
    titles = [
        element("th", _breakable(column.title), element("small", text(column.role)) if column.role else "", scope="col")
        for column in columns
    ]
    if not any(name for name, _ in groups):
        return element("thead", element("tr", element("th", "layer", scope="col"), *titles))
    over = [
        element("th", _breakable(name), scope="colgroup", colspan=count) if name else element("td", "", colspan=count)
        for name, count in groups
    ]
    first = element("th", "layer", scope="col", rowspan=2)
    return element("thead", element("tr", first, *over), element("tr", *titles))


def _breakable(title: str, longest: int = HEADING) -> str:
    """A heading that may be broken after its underscores and dots."""
    return text(title, longest).replace("_", "_<wbr>").replace(".", ".<wbr>")


def _classes_of(cell: MapCell, measures: Sequence[MapMeasure], legends: Mapping[Scale, Classes]) -> str:
    if cell.minor:
        return "fc-minor"
    names = []
    for each in measures:
        value = cell.values.get(each.scale)
        if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
            continue
        step = legends[each.scale].step(legends[each.scale].of(value), falling=each.falling)
        if not isfinite(value):
            step = 0 if each.falling == (value > 0) else STEPS - 1
        names.append(f"{LETTERS[each.scale]}{step}")
    return " ".join(names)


def _body(cell: MapCell, measures: Sequence[MapMeasure], *, named: bool) -> str:
    label = text(cell.label) + (f" &times;{cell.count}" if cell.count > 1 else "")
    values = [
        element("span", text(_value(cell.values.get(each.scale))), class_=f"fc-v fc-v{LETTERS[each.scale]}")
        for each in measures
    ]
    name = element("em", _breakable(cell.name, BESIDE)) if named else ""
    content = [name, element("b", label), *values]
    if not cell.href:
        return element("span", *content, class_="fc-cell")
    return element("a", *content, href=cell.href, title=shown(cell.name, LONGEST))


def _cell(cell: MapCell, measures: Sequence[MapMeasure], legends: Mapping[Scale, Classes]) -> str:
    return element("td", _body(cell, measures, named=False), class_=_classes_of(cell, measures, legends) or None)


def _chip(cell: MapCell, measures: Sequence[MapMeasure], legends: Mapping[Scale, Classes]) -> str:
    return element("li", _body(cell, measures, named=True), class_=_classes_of(cell, measures, legends) or None)


def _value(value: float | None) -> str:
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "\N{EN DASH}"
    return number(value, DIGITS) if isfinite(value) else ("exact" if value > 0 else "-inf")
