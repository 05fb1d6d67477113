"""Pictures and tables from plain values: legible colours, honest bars, whole tables, nothing that acts."""

# ruff: noqa: S314 - the XML is our own
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.drawing import markup, palette
from fourcc.drawing.frontier import Mark, frontier, legend
from fourcc.drawing.histogram import TALL, histogram
from fourcc.drawing.map import MapCell, MapColumn, MapMeasure, layer_map
from fourcc.drawing.steps import classes
from fourcc.drawing.styles import DARK, LIGHT, stylesheet
from fourcc.drawing.table import Markup, bar, facts, table

LEGIBLE = 4.5  # contrast of small text, by WCAG 2
BAD = "<script>\"'&\u202e\x1b"


class Found(HTMLParser):
    """Elements with their attributes, and the text, of a piece of HTML; refuses elements that are not closed."""

    # ruff: noqa: D102 - the names that html.parser calls

    def __init__(self, piece: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(piece)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"wbr", "input"}:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("scale", list(palette.HUES))
@pytest.mark.parametrize("dark", [False, True])
def test_every_shade_can_be_written_on_and_told_from_its_neighbours(scale: palette.Scale, dark: bool) -> None:
    """Lightness alone tells shades apart, so anybody can."""
    shades = palette.shades(scale, dark=dark)
    assert len(set(shades)) == palette.STEPS
    assert all(palette.contrast(shade, palette.ink(shade)) >= LEGIBLE for shade in shades)
    from_black = [palette.contrast(shade, "#000000") for shade in shades]
    assert from_black == sorted(from_black, reverse=not dark)
    assert all(max(a, b) / min(a, b) > 1.2 for a, b in pairwise(from_black))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["text", "dim", "accent", "file"])
def test_text_is_legible_on_the_ground_and_on_raised_parts(theme: dict[str, str], name: str) -> None:
    assert all(palette.contrast(theme[name], theme[ground]) >= LEGIBLE for ground in ("ground", "raised", "none"))


def test_series_are_told_apart_on_their_ground() -> None:
    for series, ground in ((palette.SERIES, "#ffffff"), (palette.SERIES_DARK, DARK["ground"])):
        assert len(set(series)) == 8
        assert all(palette.contrast(colour, ground) > 1.8 for colour in series)


def test_the_style_sheet_is_whole_and_loads_nothing() -> None:
    sheet = stylesheet()
    assert sheet.count("{") == sheet.count("}")
    assert "prefers-color-scheme:dark" in sheet
    assert not re.search(r"url\(|@import|expression", sheet)
    used = set(re.findall(r"var\((--[\w-]+)\)", sheet))
    assert used <= set(re.findall(r"(--[\w-]+):", sheet))


def test_text_is_harmless_and_short() -> None:
    assert markup.text(BAD) == "&lt;script&gt;&quot;&#x27;&amp;\\u202e\\x1b"
    assert markup.text("x" * 1000).endswith("... (1000 characters)")
    assert markup.lines("a\n<b>\r\u2028c") == "a\n&lt;b&gt;\n\nc"


def test_an_attribute_is_escaped_and_never_cut() -> None:
    assert markup.element("a", title='"><b>') == '<a title="&quot;&gt;&lt;b&gt;"/>'
    assert len(markup.element("path", d="h1" * 5000)) > 10_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (-0.0, "0"), (1e-9, "1e-09"), (0.25, "0.25"), (1234567, "1,234,567"), (8.6667, "8.667")],
)
def test_numbers(value: float, shown: str) -> None:
    assert markup.number(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_600, "1 MB"), (5e15, "5e+03 TB")]
)
def test_sizes(count: float, shown: str) -> None:
    assert markup.size(count) == shown


def test_few_values_have_a_class_each() -> None:
    found = classes([8.5, 4.5, 8.5, 32.0])
    assert found.words == ("4.5", "8.5", "32")
    assert [found.of(value) for value in (4.5, 8.5, 32.0)] == [0, 1, 2]
    assert [found.step(place) for place in range(3)] == [0, 3, 6]
    assert [found.step(place, falling=True) for place in range(3)] == [6, 3, 0]


def test_many_values_have_ranges_between_round_numbers() -> None:
    found = classes([18.9 + place / 3 for place in range(80)], least=1.0)
    assert found.words == ("below 20", "20 to 25", "25 to 30", "30 to 35", "35 to 40", "40 to 45", "45 on")


@given(st.lists(st.floats(-1e6, 1e6) | st.just(inf) | st.just(nan), max_size=40), st.booleans())
def test_any_value_is_in_one_of_at_most_seven_classes(values: list[float], ratio: bool) -> None:
    found = classes(values, ratio=ratio)
    assert 1 <= len(found.words) <= palette.STEPS
    assert list(found.edges) == sorted(found.edges)
    places = [found.of(value) for value in sorted(value for value in values if not isnan(value))]
    assert places == sorted(places)
    assert all(0 <= found.step(place) < palette.STEPS for place in places)


def test_a_table_names_its_columns_and_rows_and_escapes_them() -> None:
    records = [{"name": BAD, "bits": 4.5, "none": None}, {"name": "b", "bits": 8.0, "none": None}]
    found = Found(table(records, caption=BAD, titles={"bits": "bits <"}, sortable=True))
    assert [each.get("scope") for each in found.of("th")] == ["col", "col", "col", "row", "row"]
    assert [each.get("class") for each in found.of("td")] == ["fc-n", None, "fc-n", None]
    assert [each.get("data-o") for each in found.of("td")] == ["4.5", None, "8.0", None]
    assert not found.of("script")
    assert {"4.5", "8", "\N{EN DASH}", "bits <"} <= set(found.words)


def test_a_table_of_nothing_is_nothing() -> None:
    assert table([]) == facts({}) == ""


def test_ready_markup_is_sorted_by_its_order() -> None:
    found = Found(table([{"a": 1, "b": Markup(bar(0.5), 0.5)}], sortable=True))
    assert found.of("td")[0]["data-o"] == "0.5"
    assert found.of("svg")[0]["aria-hidden"] == "true"


def heights(path: str) -> list[int]:
    """Height of each bar of a staircase."""
    height, found = 0, []
    for letter, number in re.findall(r"([vh])(-?\d+)", path):
        height += int(number) if letter == "v" else 0
        found += [height] * int(number) if letter == "h" else []
    return found


def test_bars_are_as_high_as_their_shares() -> None:
    drawn = ET.fromstring(histogram([0, 5, 5, 10, 0], (-1, 1), title="t"))
    assert heights(drawn.findall("path")[0].get("d") or "") == [0, TALL // 2, TALL // 2, TALL, 0]
    assert drawn.findtext("title") == "t"
    assert [each.text for each in drawn.findall("text")] == ["-1", "1", "0"]


def test_before_and_after_share_one_scale_whatever_their_counts() -> None:
    drawn = ET.fromstring(histogram([1, 1], (0, 1), before=[30, 10], title="t"))
    before, after = (heights(path.get("d") or "") for path in drawn.findall("path")[:2])
    assert (before, after) == ([TALL, 83], [167, 167])


def test_a_single_weight_is_seen_and_none_is_not() -> None:
    drawn = ET.fromstring(histogram([1, 0, 10**6], (0, 15), title="t", codes=True))
    assert (drawn.findall("path")[0].get("d") or "").count("M") == 2


def test_an_empty_histogram_is_drawn() -> None:
    assert ET.fromstring(histogram([], (0, 0), title=BAD)).findtext("title", "").startswith("<script>")


def test_the_frontier_falls_and_marks_have_names() -> None:
    points = [(100, 1.0), (200, 0.1), (300, 0.01)]
    drawn = ET.fromstring(frontier(points, [Mark(BAD, 250, 0.5, "file"), Mark("Q", 150, 0.0)], weights=800, title="t"))
    line = next(path for path in drawn.findall("path") if path.get("class") == "fc-line")
    places = [float(number) for number in re.findall(r"[\d.]+", line.get("d") or "")]
    assert places[0::2] == sorted(places[0::2])
    assert places[1::2] == sorted(places[1::2])
    assert [each.findtext("title", "")[:8] for each in drawn.findall("g")] == ["<script>"]
    assert "bits per weight, over all tensors" in [each.text for each in drawn.findall("text")]


@pytest.mark.parametrize("points", [[], [(10, 0.0)]])
def test_a_frontier_without_divergence_is_nothing(points: list[tuple[int, float]]) -> None:
    assert frontier(points, title="t") == ""


def test_a_frontier_of_one_point_is_drawn() -> None:
    assert ET.fromstring(frontier([(10, 0.5)], title="t")).tag == "svg"


def test_the_legend_names_only_kinds_that_are_there() -> None:
    assert re.findall(r"fc-key-(\w+)", legend(["format"])) == ["line", "format"]


def a_map(*cells: MapCell) -> Found:
    columns = [MapColumn("a.q", "q", "a", "query"), MapColumn("n", "n")]
    measures = [MapMeasure("bits", "bits per weight"), MapMeasure("error", "SQNR", falling=True)]
    return Found(layer_map(cells, columns, measures, key="k", caption="c"))


def test_a_cell_has_its_tag_its_numbers_and_a_class_for_each_measure() -> None:
    weak = MapCell("l.0.q", "Q4", {"bits": 4.5, "error": 20.0}, "#t0", 0, "a.q")
    strong = MapCell("l.1.q", "Q8", {"bits": 8.5, "error": inf}, "#t1", 1, "a.q")
    found = a_map(weak, strong, MapCell("l.1.n", "F32", {"bits": 32.0}, "#t2", 1, "n", minor=True))
    assert [each.get("class") for each in found.of("td") if each.get("class")] == ["b0 e3", "b6 e0", "fc-minor"]
    assert [each.get("href") for each in found.of("a")] == ["#t0", "#t1", "#t2"]
    assert {"Q4", "4.5", "20", "Q8", "8.5", "exact", "F32", "32", "\N{EN DASH}"} <= set(found.words)


def test_a_map_is_a_table_with_headings() -> None:
    found = a_map(MapCell("l.3.q", "Q4", {"bits": 4.5}, "#t0", 3, "a.q"))
    assert [each.get("scope") for each in found.of("th")] == ["col", "colgroup", "col", "col", "row"]
    assert [(each["type"], each.get("checked")) for each in found.of("input")] == [
        ("radio", "checked"),
        ("radio", None),
    ]


def test_tensors_without_a_layer_stand_beside() -> None:
    found = a_map(MapCell(BAD, "F16", {"bits": 16.0}, "#t0"))
    assert not found.of("table")
    assert not found.of("script")
    assert "F16" in found.words


def test_a_cell_of_several_says_how_many() -> None:
    found = a_map(MapCell("experts", "Q4", {"bits": 4.5}, "#t0", 0, "a.q", count=8))
    assert "Q4 \N{MULTIPLICATION SIGN}8" in found.words
