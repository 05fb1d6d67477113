"""Pictures: that they are made of the right numbers, are the same each time, and that a missing package is named."""

import struct
import subprocess
import sys
from fractions import Fraction
from functools import partial
from math import isfinite
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import matplotlib as mpl
import numpy as np
import pytest

import fourcc
from fourcc.analysis.offers import Suggestion, Wish, totals
from fourcc.analysis.plotting import rendered, titled
from fourcc.analysis.plotting_formats import FormatPoint, draw_formats, marked
from fourcc.analysis.plotting_layers import draw_layers
from fourcc.analysis.plotting_weights import AFTER, PANELS, draw_weights
from fourcc.analysis.suggestion import suggest
from fourcc.analysis.survey import Selection, Survey, Surveyed, regrouped
from fourcc.errors import UsageError
from fourcc.metrics import ErrorSums
from fourcc.sources import open_source
from fourcc.tags import as_tag
from tests.core.pictures import assert_whole, drawn


@pytest.fixture(scope="module")
def tiny(root: Path) -> Path:
    """The model of the repository: four layers."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture(scope="module")
def alone(tiny: Path) -> Survey:
    """Its weights."""
    return fourcc.stats(tiny)


@pytest.fixture(scope="module")
def compared(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """Them in four bits."""
    path = tmp_path_factory.mktemp("plots") / "q.bin"
    fourcc.convert(tiny, path, policy=fourcc.Policy.shorthand("Q4_0,F16"))
    return fourcc.stats(path, against=tiny)


@pytest.fixture(scope="module")
def suggestions(tiny: Path) -> list[Suggestion]:
    """Suggestions for the first layer."""
    with open_source(tiny) as source:
        return suggest(Selection(layers="0").of(source), Wish())


def test_a_panel_for_each_kind_and_a_line_for_each_layer(alone: Survey) -> None:
    """Each histogram is a density: its area is one. Vectors are left out where there are matrices."""
    figure = drawn(partial(draw_weights, survey=alone))
    panels = {panel.get_title(loc="left"): panel for panel in figure.axes if panel.get_title(loc="left")}
    assert list(panels)[:3] == ["tok_embeddings", "attention.wq", "attention.wk"]
    assert len(panels) == 8
    for name, panel in panels.items():
        stairs = panel.patches
        assert len(stairs) == (1 if name == "tok_embeddings" else 4)
        for each in stairs:
            heights, edges, _ = each.get_data()
            assert np.sum(heights * np.diff(edges)) == pytest.approx(1)
    assert panels["attention.wq"].get_yscale() == "log"


def test_before_lies_under_after(compared: Survey) -> None:
    """In the same bars, all layers together; a legend says which is which."""
    figure = drawn(partial(draw_weights, survey=compared))
    panel = next(panel for panel in figure.axes if panel.get_title(loc="left") == "attention.wq")
    before, after = panel.patches
    assert before.get_data().edges.tolist() == after.get_data().edges.tolist()
    assert (before.get_fill(), after.get_fill(), after.get_edgecolor()[:1]) == (
        True,
        False,
        (int(AFTER[1:3], 16) / 255,),
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["before", "after"]


def test_measures_over_layers(compared: Survey) -> None:
    """A line for each kind, of what the survey says; the axis counts layers."""
    figure = drawn(partial(draw_layers, survey=compared))
    panels = {panel.get_title(loc="left"): panel for panel in figure.axes}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    deviations = dict(zip(names, panels["standard deviation"].lines, strict=True))
    expected = [each.now.std for each in compared if each.name.endswith("attention.wo") and each.now]
    assert deviations["attention.wo"].get_ydata().tolist() == expected
    assert deviations["attention.wo"].get_xdata().tolist() == [0, 1, 2, 3]
    errors = dict(zip(names, panels["SQNR (dB)"].lines, strict=True))
    assert all(15 < value < 30 for value in errors["attention.wq"].get_ydata())
    assert all(panel.get_xlabel() == "layer" for panel in panels.values())


def test_formats_by_bits_and_noise(suggestions: list[Suggestion]) -> None:
    """Each has its name in the picture; the legend names the lines and the marks, and is short."""
    figure = drawn(partial(draw_formats, suggestions=suggestions, model="tiny.bin"))
    (panel,) = figure.axes
    names = {text.get_text() for text in panel.texts}
    assert names == {str(each.tag) for each in totals(suggestions) if isfinite(each.sqnr_db)}
    assert "F32" not in names  # without loss, it is nowhere on the picture
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "formats on a single tensor",
        "Pareto line: none is smaller and better",
        "other formats",
        "formats that do not fit all of the tensors",
        "6.02 dB for each bit",
    ]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("bits per weight", "SQNR (dB)")
    assert figure.texts[0].get_text() == "tiny.bin: formats by size and error"


def test_the_pareto_line_joins_what_no_format_beats(suggestions: list[Suggestion]) -> None:
    """Among formats that fit all tensors: from left to right it rises, and no other mark is left of it and above."""
    (panel,) = drawn(partial(draw_formats, suggestions=suggestions)).axes
    lines = {(str(line.get_marker()), str(line.get_linestyle())): line for line in panel.lines}
    front = [*zip(*lines["o", "-"].get_data(), strict=True)]
    others = [*zip(*lines["s", "None"].get_data(), strict=True)]
    assert front == sorted(front)
    assert [height for _, height in front] == sorted(height for _, height in front)
    assert not [
        (bits, height)
        for bits, height in others
        if all(bits < x or height > y for x, y in front)  # it beats, or is beaten by, none of them
    ]
    steep = panel.lines[-1].get_data()
    assert steep[1] == pytest.approx(20 * np.log10(2) * np.asarray(steep[0]))


def test_equal_formats_are_marked_once() -> None:
    """The first by name is on the line; one that does not fit all tensors is not."""
    points = [FormatPoint(name, 4.0, 20.0) for name in "BA"] + [FormatPoint("C", 2.0, 50.0, compared=False)]
    assert [each.name for each in marked(points) if each.on_front] == ["A"]


def many_formats(suggestions: list[Suggestion]) -> list[Suggestion]:
    """Suggestions with 66 formats, most of them near each other."""
    random = np.random.default_rng(1)
    changes = [(str(tag), random.uniform(0.9, 1.15), random.uniform(0.5, 2)) for tag in range(1000, 1040)]
    made = []
    for each in suggestions:
        real = [offer for offer in each.offers if offer.sums is not None and offer.sums.noise]
        more = [
            attrs.evolve(
                offer,
                tag=as_tag(f"x{tag[1:]}"),
                bits=offer.bits * Fraction(bits),
                sums=attrs.evolve(offer.sums, noise=offer.sums.noise * noise),
            )
            for number, (tag, bits, noise) in enumerate(changes)
            for offer in real[number % len(real) :][:1]
            if offer.sums is not None
        ]
        made.append(attrs.evolve(each, offers=(*each.offers, *more)))
    return made


@pytest.mark.parametrize("width", [3.2, 8, 16])
def test_66_formats_lie_on_no_name(suggestions: list[Suggestion], width: float) -> None:
    """At any size; those for whose name there is no room are counted, and none of the Pareto line is among them."""
    many = many_formats([each for each in suggestions if each.offers])
    figure = drawn(partial(draw_formats, suggestions=many, model="tiny.bin", width=width))
    assert_whole(figure)
    (panel,) = figure.axes
    names = {text.get_text() for text in panel.texts}
    missing = next((int(name.split()[0]) for name in names if "for lack of room" in name), 0)
    formats = [each for each in totals(many) if isfinite(each.sqnr_db)]
    assert len(formats) > 55
    assert len(names) - (missing > 0) == len(formats) - missing
    assert missing < {3.2: 40, 8: 8, 16: 1}[width]
    bold = [text for text in panel.texts if text.get_fontweight() == "bold"]
    assert len(bold) == len(panel.lines[1].get_data()[0])


def coarse(each: Surveyed) -> Surveyed:
    """The tensor with a histogram of few bars, which are soon added up."""
    assert each.now is not None
    assert each.now.minimum is not None
    assert each.now.maximum is not None
    bars = tuple(regrouped(each.now.bins, each.now.minimum, each.now.maximum, 64))
    now = attrs.evolve(each.now, bins=bars)
    return attrs.evolve(each, now=now, before=None if each.before is None else now)


def deep(survey: Survey, layers: int) -> Survey:
    """The survey of a model with as many layers, all like the first; few kinds of tensor, with few bars."""
    first = [coarse(each) for each in survey if each.layer == 0 and each.name.endswith(("wq", "w1", "ffn_norm"))]
    outside = [each for each in survey if each.layer is None]
    names = [(layer, each, each.name.replace(".0.", f".{layer}.")) for layer in range(layers) for each in first]
    return Survey((*outside, *(attrs.evolve(each, name=name, layer=layer) for layer, each, name in names)))


@pytest.mark.parametrize(("width", "layers"), [(3.2, 80), (0, 2), pytest.param(16, 80, marks=pytest.mark.thorough)])
def test_pictures_are_whole_at_any_size(compared: Survey, alone: Survey, layers: int, width: float) -> None:
    """No title, legend or number is cut off or covered, on a narrow or a wide picture, with few and many layers."""
    assert_whole(drawn(partial(draw_weights, survey=deep(alone, layers), model="tiny.bin", width=width)))
    assert_whole(
        drawn(partial(draw_weights, survey=deep(compared, 1), model="a_rather_long_name_of_a_model.bin", width=width))
    )
    assert_whole(drawn(partial(draw_layers, survey=deep(compared, layers), model="q.bin", width=width)))


def test_few_layers_are_named_and_many_have_a_scale_of_steps(alone: Survey) -> None:
    """Two layers are two lines with names, told apart by their dashes, too; eighty are eighty steps of a scale."""
    two = drawn(partial(draw_weights, survey=deep(alone, 2)))
    assert [text.get_text() for text in two.legends[0].get_texts()] == ["layer 0", "layer 1"]
    assert len({str(line.get_linestyle()) for line in two.legends[0].get_lines()}) == 2
    eighty = drawn(partial(draw_weights, survey=deep(alone, 80)))
    assert not eighty.legends
    scale = eighty.axes[-1]
    assert scale.get_ylabel() == "layer"
    assert scale.get_ylim() == (-0.5, 79.5)
    assert not scale.yaxis.get_minorticklocs().size


def test_layers_have_norms_and_what_stands_beside_them(compared: Survey) -> None:
    """Vectors have hollow marks and dashes; the embedding is before the first layer, the last norm after the last."""
    figure = drawn(partial(draw_layers, survey=compared))
    panel = next(panel for panel in figure.axes if panel.get_title(loc="left") == "largest |weight|")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    lines = dict(zip(names, panel.lines, strict=True))
    assert lines["attention_norm"].get_linestyle() == "--"
    assert lines["attention.wq"].get_linestyle() == "-"
    ticks = dict(zip([text.get_text() for text in panel.get_xticklabels()], panel.get_xticks(), strict=True))
    assert lines["tok_embeddings"].get_xdata().tolist() == [ticks["in"]]
    assert lines["norm"].get_xdata().tolist() == [ticks["out"]]
    assert ticks["in"] < 0
    assert ticks["out"] > 3
    looks = {(line.get_color(), line.get_marker()) for line in panel.lines}
    assert len(looks) == len(panel.lines)


def test_before_and_after_say_bits_and_error(compared: Survey) -> None:
    """Below each panel's name, of its tensors together."""
    figure = drawn(partial(draw_weights, survey=compared, model=Path("some/q.bin")))
    assert figure.texts[0].get_text() == "q.bin: weights before and after quantization"
    said = {panel.get_title(loc="left"): panel.texts[0].get_text() for panel in figure.axes}
    queries = [each.error for each in compared if each.name.endswith("wq") and each.error]
    error = sum(queries, ErrorSums())
    assert said["attention.wq"] == f"F32 to Q4_0, 4.5 bits, SQNR {error.sqnr_db:.1f} dB"
    assert said["feed_forward.w2"].startswith("F32 to F16, 16 bits, SQNR 7")


def test_names_are_text_and_nothing_else(alone: Survey) -> None:
    """No name is taken for mathematics or left out for its underscore; control characters and long ones do no harm."""
    names = ["_first.$x$", "$\\frac{1$", "a\x1b[2J\nb", "long." + "x" * 400, "\N{CJK UNIFIED IDEOGRAPH-6A21}"]
    odd = Survey(tuple(attrs.evolve(alone["tok_embeddings"], name=name) for name in names))
    in_layers = [attrs.evolve(each, layer=0, name=f"layers.0.{each.name}") for each in odd]
    assert rendered(partial(draw_weights, survey=odd, model="$m^{$.bin"), "png")
    assert b"_first.$x$" in rendered(partial(draw_layers, survey=in_layers, model="_m.bin"), "svg")


def test_what_is_too_much_for_a_picture_is_counted(alone: Survey) -> None:
    """Kinds of tensor with fewer weights are left out, and the picture says how many."""
    many = [attrs.evolve(coarse(alone["norm"]), name=f"tensor_{number}") for number in range(PANELS + 5)]
    figure = drawn(partial(draw_weights, survey=many))
    assert len(figure.axes) == PANELS
    assert figure.texts[1].get_text().endswith("; 5 smaller kinds of tensor are not drawn")


def test_a_title_without_a_name() -> None:
    """It says what is seen; a folder is named even where it was given as a dot."""
    assert titled("", "the best mix") == "The best mix"
    assert titled(Path("x/m.bin"), "the best mix") == "m.bin: the best mix"
    assert titled(Path(), "w") == f"{Path.cwd().name}: w"


def test_files_are_what_their_names_say(alone: Survey) -> None:
    """A picture fits a page: it is some thousand pixels wide."""
    draw = partial(draw_weights, survey=alone[:10])
    png = rendered(draw, "png")
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert 800 < width < 2000
    assert 500 < height < 2000
    small = partial(draw_weights, survey=alone[:1])
    assert ET.fromstring(rendered(small, "svg")).tag.endswith("svg")  # noqa: S314 - our own
    assert rendered(small, "pdf").startswith(b"%PDF")


def test_equal_weights_give_equal_pictures(alone: Survey) -> None:
    """Pictures hold no date and no random ids."""
    draw = partial(draw_layers, survey=alone)
    assert rendered(draw, "svg") == rendered(draw, "svg")
    assert b"<dc:date>" not in rendered(draw, "svg")


def test_drawing_changes_no_setting(alone: Survey) -> None:
    """Other code that draws in this process keeps its settings."""
    before = dict(mpl.rcParams)
    rendered(partial(draw_layers, survey=alone), "png")
    assert dict(mpl.rcParams) == before


@pytest.mark.thorough
def test_no_window_can_open(root: Path) -> None:
    """The module that opens windows is not loaded."""
    code = """import sys, fourcc, fourcc.analysis.plotting as p, fourcc.analysis.plotting_weights as w, functools as f
survey = fourcc.stats("fourcc/example/tiny.bin", layers="0")
for kind in ("png", "svg", "pdf"):
    p.rendered(f.partial(w.draw_weights, survey=survey), kind)
print("matplotlib.pyplot" in sys.modules)"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root) == "False\n"


def test_what_cannot_be_drawn_is_refused(alone: Survey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names it, and says what to do."""
    nothing_finite = tmp_path / "nan.npz"
    np.savez(nothing_finite, **{"layers.0.attention.wq": np.full((4, 4), np.nan, np.float32)})
    with pytest.raises(UsageError, match="no such kind of picture: found 'gif', expected png or svg or pdf"):
        rendered(partial(draw_weights, survey=alone), "gif")
    with pytest.raises(UsageError, match="there is nothing to draw over layers"):
        rendered(partial(draw_layers, survey=[alone["norm"]]), "png")
    with pytest.raises(UsageError, match=r"over layers\. No weight of these tensors is finite"):
        rendered(partial(draw_layers, survey=fourcc.stats(nothing_finite)), "png")
    with pytest.raises(UsageError, match="there is nothing to draw"):
        rendered(partial(draw_weights, survey=[]), "png")
    with pytest.raises(UsageError, match="there is nothing to draw"):
        rendered(partial(draw_formats, suggestions=[]), "png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"plots need the package matplotlib, .*pip install 'matplotlib>="):
        rendered(partial(draw_weights, survey=alone), "png")
