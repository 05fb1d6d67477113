"""The output of `fourcc stats`: a table, one tensor in depth, or the JSON object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fourcc.cli.render import json_documents, sparkline, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits, by_decibels
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.analysis.statistics import Spread, Statistics
    from fourcc.analysis.survey import Survey, Surveyed

WIDE = 16  # characters of a histogram in a table
TALL, BAR, LEAST_BAR = 24, 24, 4  # lines of one tensor's histogram; the longest bar with much room, and with little
JSON_BARS = 64


class Field(NamedTuple):
    """A column, and the function that makes a tensor's cell of it."""

    column: Column
    cell: Callable[[Surveyed], str]


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
    fields = COMPARED_FIELDS if compared else ALONE_FIELDS
    shown = tables.show(
        [field.column for field in fields], [[field.cell(each) for field in fields] for each in tensors]
    )
    terminal.out("")
    for each in survey:
        if each.undecoded is not None:
            tables.paragraph(f"{each.name}: not decoded: {each.undecoded}")
        elif compared and each.before is None:
            tables.paragraph(f"{each.name}: the original has no tensor of that name and shape")
        for when, statistics in (("", each.now), (" before", each.before)):
            if statistics is not None and statistics.nonfinite:
                tables.paragraph(f"{each.name}{when}: {_nonfinite(statistics)}")
    tables.explain(shown)


def _sketch(each: Surveyed, statistics: Statistics | None) -> str:
    from fourcc.analysis.survey import middle, regrouped

    if statistics is None or not statistics.bins:
        return "-"
    both = [some for some in (each.before, each.now) if some is not None]
    return sparkline.line(regrouped(statistics.bins, *middle(*both), WIDE))


def _one(each: Surveyed) -> None:
    """All statistics of a tensor and its histogram, beside the original's."""
    if each.now is None:
        tables.paragraph(f"{each.name}: not decoded: {each.undecoded}")
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
    highest = [max(bar.count for bar in bars) for bars in some]
    digits = [max(len(str(bar.count)) for bar in bars) for bars in some]
    labels = [_short((bar.low + bar.high) / 2) for bar in some[0]]
    wide = max(map(len, labels))
    most = BAR if (limit := tables.limit()) is None else _longest_bar(limit - wide, digits)
    if before is not None:
        terminal.out(f"{'':{wide}}  {'before':{digits[0] + 2 + most}}  after")
    for number, label in enumerate(labels):
        cells = [
            f"{bars[number].count:{size}}  {sparkline.bar(bars[number].count, high, most):{most}}"
            for bars, high, size in zip(some, highest, digits, strict=True)
        ]
        terminal.out("  ".join([label.rjust(wide), *cells]).rstrip())


def _longest_bar(room: int, digits: Sequence[int]) -> int:
    """Characters of a bar, so that those of all histograms and their counts fit side by side."""
    free = room - sum(digits) - 2 * len(tables.GAP) * len(digits)
    return max(LEAST_BAR, min(BAR, free // len(digits)))


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


LOUD = "RMS of the loudest channel by that of the middle one"
SKETCHED = "mean +- 4 std, the rest at the ends"
ALONE_FIELDS = (
    Field(Column("tensor"), lambda each: each.name),
    Field(Column("shape", leave=1), lambda each: units.shape(each.shape)),
    Field(Column("tag", leave=3), lambda each: each.tag),
    Field(Column("std", right=True), lambda each: _short(each.now.std if each.now else None)),
    Field(Column("max |w|", right=True, leave=6), lambda each: _short(_largest(each.now))),
    Field(
        Column("kurtosis", right=True, leave=7, note="3 for normally distributed weights"),
        lambda each: _short(each.now.kurtosis if each.now else None),
    ),
    Field(
        Column("> 4 std", right=True, leave=5, note="share of weights so far from the mean"),
        lambda each: _share(each.now),
    ),
    Field(Column("rows", right=True, leave=4, note=LOUD), lambda each: _contrast(each.now.rows if each.now else None)),
    Field(
        Column("cols", right=True, leave=2, note=LOUD), lambda each: _contrast(each.now.columns if each.now else None)
    ),
    Field(Column("histogram", note=SKETCHED), lambda each: _sketch(each, each.now)),
)
COMPARED_FIELDS = (
    Field(Column("tensor"), lambda each: each.name),
    Field(Column("tags", leave=4), lambda each: " -> ".join(dict.fromkeys([str(each.before_tag), each.tag]))),
    Field(
        Column("bits", right=True, leave=3, note="per weight, after", style=by_bits),
        lambda each: units.bits(each.bits_per_weight),
    ),
    Field(
        Column("SQNR dB", right=True, style=by_decibels),
        lambda each: f"{each.error.sqnr_db:.1f}" if each.error else "-",
    ),
    Field(
        Column("rel RMSE", right=True, leave=2),
        lambda each: f"{each.error.relative_rmse:.3g}" if each.error else "-",
    ),
    Field(Column("max error", right=True, leave=1), lambda each: f"{each.error.max_error:.3g}" if each.error else "-"),
    Field(Column("before", note=SKETCHED), lambda each: _sketch(each, each.before)),
    Field(Column("after", note=SKETCHED), lambda each: _sketch(each, each.now)),
)
