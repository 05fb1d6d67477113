"""The output of `fourcc stats`: a table, one tensor in depth, or the JSON object."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fourcc.cli.render import json_documents, sparkline, tables, terminal, units
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.analysis.statistics import Spread, Statistics
    from fourcc.analysis.survey import Survey, Surveyed

WIDE = 16  # characters of a histogram in a table
TALL, BAR = 24, 24  # lines of one tensor's histogram, and the longest bar of each
JSON_BARS = 64

ALONE_NOTES = (
    "> 4 std: share of weights so far from the mean; kurtosis of a normal one: 3",
    "rows, cols: RMS of the loudest channel by that of the middle one",
    "histogram: mean +- 4 std, the rest at its ends",
)
COMPARED_NOTES = ("histograms: mean +- 4 std, the rest at their ends; bits: per weight, after",)


class Field(NamedTuple):
    """A column, the function that makes its cells, and its turn to be left out on a narrow terminal.

    Attributes:
        column: the column.
        cell: makes a tensor's cell.
        leave: 1 goes first; 0 stays.
    """

    column: Column
    cell: Callable[[Surveyed], str]
    leave: int = 0


def show(file: Path, survey: Survey, *, as_json: bool) -> None:
    """Writes a survey to stdout."""
    if as_json:
        json_documents.show(
            "stats", {"file": str(file), "tensors": [_entry(each) for each in survey], "suggestion": None}
        )
    elif len(survey) == 1:
        _one(survey[0])
    else:
        _table(survey)


def _table(survey: Survey) -> None:
    compared = any(each.before is not None for each in survey)
    tensors = [each for each in survey if each.now is not None and (not compared or each.before is not None)]
    fields = _fitting(_compared_fields() if compared else _alone_fields(), tensors)
    tables.show([field.column for field in fields], [[field.cell(each) for field in fields] for each in tensors])
    terminal.out("")
    for each in survey:
        if each.undecoded is not None:
            terminal.out(terminal.safe(f"{each.name}: not decoded: {each.undecoded}"))
        elif compared and each.before is None:
            terminal.out(terminal.safe(f"{each.name}: the original has no tensor of that name and shape"))
        for when, statistics in (("", each.now), (" before", each.before)):
            if statistics is not None and statistics.nonfinite:
                terminal.out(terminal.safe(f"{each.name}{when}: {_nonfinite(statistics)}"))
    for note in COMPARED_NOTES if compared else ALONE_NOTES:
        terminal.out(note)


def _alone_fields() -> list[Field]:
    return [
        Field(Column("tensor", shrinks=True), lambda each: each.name),
        Field(Column("shape"), lambda each: units.shape(each.shape), 2),
        Field(Column("tag"), lambda each: each.tag, 3),
        Field(Column("std", right=True), lambda each: _short(each.now.std if each.now else None)),
        Field(Column("max |w|", right=True), lambda each: _short(_largest(each.now)), 6),
        Field(Column("kurtosis", right=True), lambda each: _short(each.now.kurtosis if each.now else None), 7),
        Field(Column("> 4 std", right=True), lambda each: _share(each.now), 5),
        Field(Column("rows", right=True), lambda each: _contrast(each.now.rows if each.now else None), 4),
        Field(Column("cols", right=True), lambda each: _contrast(each.now.columns if each.now else None), 1),
        Field(Column("histogram"), lambda each: _sketch(each, each.now)),
    ]


def _compared_fields() -> list[Field]:
    return [
        Field(Column("tensor", shrinks=True), lambda each: each.name),
        Field(Column("tags"), lambda each: " -> ".join(dict.fromkeys([str(each.before_tag), each.tag])), 4),
        Field(Column("bits", right=True), lambda each: units.bits(each.bits_per_weight), 3),
        Field(Column("SQNR dB", right=True), lambda each: f"{each.error.sqnr_db:.1f}" if each.error else "-"),
        Field(Column("rel RMSE", right=True), lambda each: f"{each.error.relative_rmse:.3g}" if each.error else "-", 2),
        Field(Column("max error", right=True), lambda each: f"{each.error.max_error:.3g}" if each.error else "-", 1),
        Field(Column("before"), lambda each: _sketch(each, each.before)),
        Field(Column("after"), lambda each: _sketch(each, each.now)),
    ]


def _fitting(fields: list[Field], tensors: Sequence[Surveyed]) -> list[Field]:
    """The columns that fit side by side on the terminal; elsewhere, all."""
    if not terminal.on_terminal(sys.stdout):
        return fields
    limit = terminal.width(sys.stdout)

    def needed(some: list[Field]) -> int:
        widths = [max([len(each.column.title), *(len(each.cell(tensor)) for tensor in tensors)]) for each in some]
        least = [min(width, 16) if each.column.shrinks else width for each, width in zip(some, widths, strict=True)]
        return sum(least) + len(tables.GAP) * (len(some) - 1)

    while needed(fields) > limit and any(field.leave for field in fields):
        first = min(field.leave for field in fields if field.leave)
        fields = [field for field in fields if field.leave != first]
    return fields


def _sketch(each: Surveyed, statistics: Statistics | None) -> str:
    from fourcc.analysis.survey import middle, regrouped

    if statistics is None or not statistics.bins:
        return "-"
    both = [some for some in (each.before, each.now) if some is not None]
    return sparkline.line(regrouped(statistics.bins, *middle(*both), WIDE))


def _one(each: Surveyed) -> None:
    """All statistics of a tensor and its histogram, beside the original's."""
    if each.now is None:
        terminal.out(terminal.safe(f"{each.name}: not decoded: {each.undecoded}"))
        return
    rows = [
        ("tensor", each.name),
        ("shape", units.shape(each.shape)),
        ("roles", ", ".join(each.roles)),
        ("tag", each.tag if each.before_tag is None else f"{each.before_tag} -> {each.tag}"),
        ("bits per weight", units.bits(each.bits_per_weight)),
        *([] if each.before is None else [(f"before: {name}", text) for name, text in _measures(each.before)]),
        *_measures(each.now),
    ]
    if each.error is not None:
        rows.append(("SQNR", f"{each.error.sqnr_db:.2f} dB"))
        rows.append(("relative RMSE", f"{each.error.relative_rmse:.3g}"))
        rows.append(("max error", f"{each.error.max_error:.3g}"))
    tables.facts([(name, text) for name, text in rows if text])
    if each.now.bins:
        terminal.out("")
        _bars(each, each.now)


def _measures(statistics: Statistics) -> list[tuple[str, str]]:
    finite = f", {statistics.nonfinite} of them not finite" if statistics.nonfinite else ""
    channels = {"rows": statistics.rows, "columns": statistics.columns}
    return [
        ("weights", f"{statistics.weights}{finite}"),
        ("range", f"{_short(statistics.minimum)} to {_short(statistics.maximum)}"),
        ("mean, std", f"{_short(statistics.mean)}, {_short(statistics.std)}"),
        ("kurtosis", _short(statistics.kurtosis)),
        ("beyond 4 std", _share(statistics)),
        *((f"RMS of {name}", f"{s.low:.3g}, {s.median:.3g}, {s.high:.3g}") for name, s in channels.items() if s),
    ]


def _bars(each: Surveyed, now: Statistics) -> None:
    from fourcc.analysis.survey import middle, regrouped

    before = each.before
    ends = middle(*([now] if before is None else [before, now]))
    some = [regrouped(statistics.bins, *ends, TALL) for statistics in (before, now) if statistics is not None]
    most = [max(bar.count for bar in bars) for bars in some]
    digits = [max(len(str(bar.count)) for bar in bars) for bars in some]
    labels = [_short((bar.low + bar.high) / 2) for bar in some[0]]
    wide = max(map(len, labels))
    if before is not None:
        terminal.out(f"{'':{wide}}  {'before':{digits[0] + 2 + BAR}}  after")
    for number, label in enumerate(labels):
        cells = [
            f"{bars[number].count:{size}}  {sparkline.bar(bars[number].count, high, BAR):{BAR}}"
            for bars, high, size in zip(some, most, digits, strict=True)
        ]
        terminal.out("  ".join([label.rjust(wide), *cells]).rstrip())


def _entry(each: Surveyed) -> dict[str, object]:
    error = each.error
    return {
        "name": each.name,
        "roles": list(each.roles),
        "layer": each.layer,
        "shape": list(each.shape),
        "tag": each.tag,
        "bits_per_weight": json_documents.bits(each.bits_per_weight),
        "statistics": _statistics(each.now),
        "undecoded": each.undecoded,
        "before": None if each.before is None else {"tag": each.before_tag, "statistics": _statistics(each.before)},
        "error": None
        if error is None
        else {
            "relative_rmse": json_documents.number(error.relative_rmse),
            "sqnr_db": json_documents.number(error.sqnr_db),
            "max_error": json_documents.number(error.max_error),
        },
    }


def _statistics(statistics: Statistics | None) -> dict[str, object] | None:
    from fourcc.analysis.survey import regrouped

    if statistics is None:
        return None
    bars = (
        regrouped(statistics.bins, statistics.bins[0].low, statistics.bins[-1].high, JSON_BARS)
        if statistics.bins
        else []
    )
    return {**json_documents.measures(statistics), "histogram": [[bar.low, bar.high, bar.count] for bar in bars]}


def _nonfinite(statistics: Statistics) -> str:
    verb = "is" if statistics.nonfinite == 1 else "are"
    return (
        f"{statistics.nonfinite} of {statistics.weights} weights {verb} not finite; the figures are those of the others"
    )


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _largest(statistics: Statistics | None) -> float | None:
    if statistics is None or statistics.minimum is None or statistics.maximum is None:
        return None
    return max(abs(statistics.minimum), abs(statistics.maximum))


def _share(statistics: Statistics | None) -> str:
    """The share of outliers, in percent."""
    return "-" if statistics is None or statistics.outliers is None else f"{100 * statistics.outliers:.2g} %"


def _contrast(statistics: Spread | None) -> str:
    return f"{statistics.high / statistics.median:.3g}" if statistics is not None and statistics.median else "-"
