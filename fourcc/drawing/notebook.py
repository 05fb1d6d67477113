"""HTML for notebooks: the report's pieces, bounded, with their style sheet around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import uuid4

from fourcc.drawing.map import MapCell, MapColumn, MapMeasure, layer_map
from fourcc.drawing.markup import element, size, text
from fourcc.drawing.palette import Scale
from fourcc.drawing.styles import stylesheet
from fourcc.drawing.table import facts, table
from fourcc.naming import position, split_name

Record = Mapping[str, object]

ROWS = 100  # of a table in a notebook: more are cut in the middle
CELLS = 400  # of a map in a notebook: a larger model is a table of its kinds of tensors
LINES = 60  # of a text
# A notebook's ground may be dark where the system's is light, and it has rules of its own for tables and lists.
RULES = """
.fc-cell-output{background:var(--fc-ground);padding:.6em .9em}
.fc-cell-output tr{background:none!important}
.fc-cell-output .fc-table :is(th,td){text-align:left!important;color:var(--fc-text)}
.fc-cell-output .fc-table .fc-n{text-align:right!important}
.fc-cell-output .fc-grid :is(th,td){text-align:center!important}
.fc-cell-output .fc-table tbody th{white-space:nowrap}
.fc-cell-output .fc-table :is(th,td){min-width:0!important}
.fc-cell-output :is(ul,ol){list-style:none!important;display:flex!important;flex-wrap:wrap;padding:0!important}
.fc-cell-output li{margin:0!important}
.fc-cell-output .fc-facts{display:grid!important;grid-template-columns:max-content 1fr!important}
.fc-cell-output .fc-facts :is(dt,dd){float:none!important;width:auto!important;margin:0!important}
.fc-cell-output .fc-facts dt{font-weight:400!important}
.fc-cell-output .fc-histogram{max-width:min(480px,100%)!important}
.fc-cell-output .fc-frontier{max-width:min(820px,100%)!important}
"""
WINDOW = "overflow:auto;max-height:32em;margin:.5em 0"


def output(*pieces: str) -> str:
    """Pieces with their style sheet, for the cell of a notebook."""
    return element("div", element("style", stylesheet() + RULES), *filter(None, pieces), class_="fc fc-cell-output")


def heading(value: object) -> str:
    """A line above the pieces: a text, or the value's plain form."""
    words = value if isinstance(value, str) else repr(value).strip("<>")
    return element("p", element("b", text(words)), style="margin:.2em 0 .5em")


def known_facts(pairs: Mapping[str, object]) -> str:
    """Names and values; those that are None are left out."""
    known = {name: _plain(name, value) for name, value in pairs.items()}
    return facts({name.replace("_", " "): value for name, value in known.items() if value is not None})


def short_table(records: Sequence[Record], columns: Iterable[str] = (), *, caption: str = "") -> str:
    """A table of at most `ROWS` records, the first and the last ones, in a window that scrolls.

    Args:
        records: the rows.
        columns: keys of those to show; none: all.
        caption: the table's title; it says so where rows are left out.
    """
    keys = list(columns)
    shown = records if len(records) <= ROWS else [*records[: ROWS - 5], *records[-5:]]
    rows = [{key: _plain(key, record.get(key)) for key in keys or record} for record in shown]
    if len(records) > ROWS:
        caption = f"{caption} ({len(records):,} rows; the first {ROWS - 5} and the last 5)".lstrip()
    inner = table(rows, caption=caption, titles=TITLES)
    return (
        element("div", inner, style=WINDOW, tabindex=0, role="region", aria_label=caption or "Table") if inner else ""
    )


def short_text(words: str, label: str) -> str:
    """A text of at most `LINES` lines, as it stands."""
    lines = words.rstrip().split("\n")
    more = [f"... {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    body = "\n".join(map(text, [*lines[:LINES], *more]))
    return element("pre", body, style=f"{WINDOW};font-size:12.5px", tabindex=0, role="region", aria_label=label)


def tensors(records: Sequence[Record]) -> str:
    """Tensors as a map of layers and kinds; of very many, or without layers, as a table.

    Args:
        records: with ``name``, ``layer``, ``shape``, ``tag``, ``weights``, ``bytes``, and, where it is known,
            ``sqnr_db``.
    """
    layered = any(record.get("layer") is not None for record in records)
    if not layered:
        return short_table(records, ("name", "shape", "tag", "bits_per_weight", "bytes"))
    if len(records) > CELLS:
        return short_table(_kinds(records), caption=f"Kinds of the {len(records):,} tensors")
    inside = [record for record in records if record["layer"] is not None]
    measures = [MapMeasure("bits", "bits per weight")]
    if any(record.get("sqnr_db") is not None for record in records):
        measures.append(MapMeasure("error", "SQNR in dB", falling=True, least=1.0))
    cells: dict[tuple[int, str], list[Record]] = {}
    for record in records:
        cells.setdefault(_place(record), []).append(record)
    drawn, key = [_cell(some) for some in cells.values()], f"n{uuid4().hex[:8]}"  # a page may hold one model twice
    return layer_map(drawn, _columns(inside), measures, key=key, caption="Layers and kinds of tensors")


TITLES = {
    "bits_per_weight": "bits/weight",
    "sqnr_db": "SQNR dB",
    "relative_rmse": "rel RMSE",
    "max_error": "max error",
    "output_error": "output error",
    "kld": "KL divergence",
    "before_tag": "before",
    "tag_a": "tag of A",
    "tag_b": "tag of B",
    "gb_s": "GB/s",
    "gops": "GOPS",
    "on_front": "unbeaten",
    "file_bytes": "file bytes",
    "divergence_low": "low",
    "divergence_high": "high",
}


def _plain(key: str, value: object) -> object:
    """A value as people read it: a shape with crosses, other lists with commas, yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return (
            "\N{NO-BREAK SPACE}x\N{NO-BREAK SPACE}".join(map(str, value)) or "scalar"
            if key == "shape"
            else ", ".join(map(str, value)) or None
        )
    return value


def _kind(record: Record) -> str:
    template, _, ending = split_name(str(record["name"]))
    return (template.partition("*.")[2] or template) + (ending if ending == ".bias" else "")


def _place(record: Record) -> tuple[int, str]:
    """The cell of a tensor: its layer and kind; one of no layer has a cell of its own."""
    layer = record["layer"]
    return (layer, _kind(record)) if isinstance(layer, int) else (-1, str(record["name"]))


def _columns(inside: Sequence[Record]) -> list[MapColumn]:
    firsts: dict[str, Record] = {}
    for record in inside:
        firsts.setdefault(_kind(record), record)
    ordered = sorted(firsts, key=lambda kind: position(str(firsts[kind]["name"]))[::2])
    words = [(kind, *kind.removesuffix(".bias").rpartition(".")[::2]) for kind in ordered]
    return [MapColumn(kind, f"{last} bias" if kind.endswith(".bias") else last, group) for kind, group, last in words]


def _cell(some: Sequence[Record]) -> MapCell:
    first, layer = some[0], some[0]["layer"]
    errors = [each for record in some if isinstance(each := record.get("sqnr_db"), float)]
    values: dict[Scale, float | None] = {"bits": _sizes(some)[2], "error": min(errors, default=None)}
    return MapCell(
        name=str(first["name"]),
        label=str(first["tag"]) if len({record["tag"] for record in some}) == 1 else "mixed",
        values=values,
        row=layer if isinstance(layer, int) else None,
        column=_kind(first),
        count=len(some),
        minor=all(_is_vector(record["shape"]) for record in some),
    )


def _sizes(some: Sequence[Record]) -> tuple[int, int | None, float | None]:
    """Weights, bytes and bits per weight of tensors together; None where the bytes of one are not known."""
    weights = sum(each for record in some if isinstance(each := record["weights"], int))
    known = [each for record in some if isinstance(each := record["bytes"], int)]
    if len(known) < len(some):
        return weights, None, None
    return weights, sum(known), 8 * sum(known) / max(1, weights)


def _is_vector(shape: object) -> bool:
    return isinstance(shape, (list, tuple)) and len(shape) < 2


def _kinds(records: Sequence[Record]) -> list[dict[str, object]]:
    """A row for each kind of tensor, over the layers."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        kinds.setdefault(_kind(record), []).append(record)
    return [_kind_row(kind, some) for kind, some in kinds.items()]


def _kind_row(kind: str, some: Sequence[Record]) -> dict[str, object]:
    weights, nbytes, bits = _sizes(some)
    tags = list(dict.fromkeys(str(record["tag"]) for record in some))
    shown = tags if len(tags) < 5 else [*tags[:4], f"{len(tags) - 4} more"]
    return {
        "kind": kind,
        "tensors": len(some),
        "formats": ", ".join(shown),
        "weights": weights,
        "bits_per_weight": bits,
        "size": None if nbytes is None else size(nbytes),
    }
