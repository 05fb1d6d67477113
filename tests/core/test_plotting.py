"""Pictures: that they are made of the right numbers, are the same each time, and that a missing package is named."""

import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import fourcc
from fourcc.analysis.offers import Suggestion, Wish
from fourcc.analysis.plotting import AFTER, draw_formats, draw_layers, draw_weights, rendered
from fourcc.analysis.suggestion import suggest
from fourcc.analysis.survey import Selection, Survey
from fourcc.errors import UsageError
from fourcc.sources import open_source


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


def drawn(draw: Callable[[Figure], None]) -> Figure:
    """The figure, with its panels in their places."""
    figure = Figure(layout="constrained")
    draw(figure)
    figure.canvas.draw()
    return figure


def test_a_panel_for_each_kind_and_a_line_for_each_layer(alone: Survey) -> None:
    """Each histogram is a density: its area is one. Vectors are left out where there are matrices."""
    figure = drawn(partial(draw_weights, survey=alone))
    panels = {panel.get_title(): panel for panel in figure.axes if panel.get_title()}
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
    panel = next(panel for panel in figure.axes if panel.get_title() == "attention.wq")
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
    panels = {panel.get_title(): panel for panel in figure.axes}
    deviations = {line.get_label(): line for line in panels["standard deviation"].lines}
    expected = [each.now.std for each in compared if each.name.endswith("attention.wo") and each.now]
    assert deviations["attention.wo"].get_ydata().tolist() == expected
    assert deviations["attention.wo"].get_xdata().tolist() == [0, 1, 2, 3]
    errors = {line.get_label(): line for line in panels["SQNR (dB)"].lines}
    assert all(15 < value < 30 for value in errors["attention.wq"].get_ydata())
    assert all(panel.get_xlabel() == "layer" for panel in panels.values())


def test_formats_by_bits_and_noise(suggestions: list[Suggestion]) -> None:
    """The legend has the numbers, and says which formats do not fit all tensors."""
    figure = drawn(partial(draw_formats, suggestions=suggestions))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any(text.startswith("Q4_0  4.5 bits, 21.") and text.endswith(" dB, 6 of 7 tensors") for text in texts)
    assert texts[-1] == "6.02 dB for each bit"
    assert not any("F32" in text for text in texts)  # without loss, it is nowhere on the picture
    (panel,) = figure.axes
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("bits per weight", "SQNR (dB)")


def test_files_are_what_their_names_say(alone: Survey) -> None:
    """A picture fits a page: it is some thousand pixels wide."""
    draw = partial(draw_weights, survey=alone[:10])
    png = rendered(draw, "png")
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert 800 < width < 2000
    assert 500 < height < 2000
    assert ET.fromstring(rendered(draw, "svg")).tag.endswith("svg")  # noqa: S314 - our own
    assert rendered(draw, "pdf").startswith(b"%PDF")


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
    code = """import sys, fourcc, fourcc.analysis.plotting as p, functools as f
survey = fourcc.stats("fourcc/example/tiny.bin", layers="0")
for kind in ("png", "svg", "pdf"):
    p.rendered(f.partial(p.draw_weights, survey=survey), kind)
print("matplotlib.pyplot" in sys.modules)"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root) == "False\n"


def test_what_cannot_be_drawn_is_refused(alone: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it, and says what to do."""
    with pytest.raises(UsageError, match="no such kind of picture: found 'gif', expected png or svg or pdf"):
        rendered(partial(draw_weights, survey=alone), "gif")
    with pytest.raises(UsageError, match="there is nothing to draw over layers"):
        rendered(partial(draw_layers, survey=[alone["norm"]]), "png")
    with pytest.raises(UsageError, match="there is nothing to draw"):
        rendered(partial(draw_weights, survey=[]), "png")
    with pytest.raises(UsageError, match="there is nothing to draw"):
        rendered(partial(draw_formats, suggestions=[]), "png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"plots need the package matplotlib, .*pip install 'matplotlib>="):
        rendered(partial(draw_weights, survey=alone), "png")
