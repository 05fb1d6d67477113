"""The frontier of all budgets: its points are the cheapest mixes; the picture is of the right numbers, and readable."""

from functools import partial
from itertools import pairwise
from math import dist, fsum

import attrs
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from fourcc.analysis.plotting import rendered
from fourcc.calibration.allocation import allocate
from fourcc.calibration.budget import Budget
from fourcc.calibration.costs import Costs
from fourcc.calibration.fitting import FittedMix, fit
from fourcc.calibration.frontier import frontier, point_within
from fourcc.calibration.frontier_plot import draw_frontier
from fourcc.calibration.pins import as_options, as_pins
from fourcc.errors import UsageError
from tests.calibration.made_up_costs import made_up, small_model
from tests.core.pictures import assert_whole, drawn

MANY = ("Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "IQ4X", "IQ4N", "Q5_0", "Q5_1", "Q5_K", "Q6_K", "Q8_0")


@pytest.fixture(scope="module")
def costs() -> Costs:
    """Made-up costs with as many options as people have."""
    return made_up(small_model(), MANY)


@pytest.fixture(scope="module")
def mix(costs: Costs) -> FittedMix:
    """A mix of them."""
    return fit(small_model(), costs, Budget.of("4.2bpw"))


def test_points_are_the_cheapest_mixes(costs: Costs) -> None:
    """From the smallest to the cheapest; each point gains less for a byte than the one before."""
    points = frontier(costs)
    for point in points:
        best = allocate(costs, point.nbytes - costs.fixed_bytes)
        assert point.kld == pytest.approx(best.kld, rel=1e-12)
        assert point.nbytes == best.nbytes + costs.fixed_bytes
    gains = [(a.kld - b.kld) / (b.nbytes - a.nbytes) for a, b in pairwise(points)]
    assert all(a >= b * (1 - 1e-6) for a, b in pairwise(gains))
    assert points[-1].kld == fsum(min(option.kld or 0.0 for option in unit.options) for unit in costs.units)


def test_each_point_says_what_changes(costs: Costs) -> None:
    """The steps lead from the first point to the last."""
    points = frontier(costs, other_bytes=0)
    chosen = {unit.name: unit.options[0] for unit in costs.units}
    for point in points[1:]:
        assert point.unit is not None
        assert point.option is not None
        chosen[point.unit.name] = point.option
        assert point.nbytes == sum(option.nbytes for option in chosen.values())
    assert (points[0].unit, points[0].option) == (None, None)


def test_pins_and_options_bound_the_frontier(costs: Costs) -> None:
    points = frontier(costs, as_pins("role=embedding:Q8_0"), as_options("Q4_0,Q6_K"))
    assert len(points) == len(costs.units)
    assert {str(point.option.tag) for point in points if point.option is not None} == {"Q6_K"}


def test_the_point_within_a_number_of_bytes(costs: Costs) -> None:
    points = frontier(costs)
    assert point_within(points, points[3].nbytes) == points[3]
    assert point_within(points, points[3].nbytes - 1) == points[2]
    assert point_within(points, 10**9) == points[-1]
    assert point_within(points, points[0].nbytes - 1) is None


def lines_of(figure: Figure) -> dict[str, Line2D]:
    """Lines by the legend's words."""
    legend = figure.legends[0]
    drawn_lines = [line for line in figure.axes[0].lines if isinstance(line, Line2D)]
    return dict(zip([text.get_text() for text in legend.get_texts()], drawn_lines, strict=True))


def test_the_picture_has_the_numbers(mix: FittedMix) -> None:
    """A line through the frontier, a mark for each named mix, and the mix itself; a logarithmic axis."""
    figure = drawn(partial(draw_frontier, mix=mix, model="tiny.bin"))
    panel, lines = figure.axes[0], lines_of(figure)
    shown = [point for point in mix.points if point.kld >= 1e-3 * mix.points[0].kld]
    assert [float(x) for x in lines["best mixes"].get_xdata()] == [point.nbytes / 1e6 for point in shown]
    assert [float(y) for y in lines["best mixes"].get_ydata()] == [point.kld for point in shown]
    assert len(lines["single format"].get_xdata()) + len(lines["recipe"].get_xdata()) >= len(mix.named) - 2
    assert list(lines["this budget"].get_ydata()) == [mix.allocation.kld]
    assert panel.get_yscale() == "log"
    assert figure.texts[0].get_text() == "tiny.bin: the best mix for each size"
    top = panel.child_axes[0]
    low, high = panel.get_xlim()
    assert top.get_xlim() == pytest.approx((low * 8e6 / mix.plan.weights, high * 8e6 / mix.plan.weights))


def test_the_legend_names_what_is_drawn(mix: FittedMix) -> None:
    """Kinds of which there is none are left out."""
    uniform = attrs.evolve(mix, named=tuple(each for each in mix.named if each.kind == "uniform"))
    words = [set(lines_of(drawn(partial(draw_frontier, mix=each)))) for each in (mix, uniform)]
    assert words[0] == {"best mixes", "single format", "recipe", "this budget"}
    assert words[1] == words[0] - {"recipe"}


@pytest.mark.parametrize("width", [3.2, 8, 16])
def test_names_do_not_overlap(mix: FittedMix, width: float) -> None:
    """Nor do they cover a mark, or leave the panel; all have room, but on a small picture, which says so."""
    figure = drawn(partial(draw_frontier, mix=mix, width=width))
    assert_whole(figure)
    panel = figure.axes[0]
    names = [text for text in panel.texts if isinstance(text, Annotation)]
    marks = [line for words, line in lines_of(figure).items() if words != "best mixes"]
    missing = sum(len(line.get_xdata()) for line in marks) - len(names)
    assert missing < {3.2: 15, 8: 1, 16: 1}[width]
    assert any("for lack of room" in text.get_text() for text in panel.texts) == (missing > 0)
    boxes = [Text.get_window_extent(text) for text in names]  # without the line to the mark
    places = [tuple(panel.transData.transform(pair)) for line in marks for pair in zip(*line.get_data(), strict=True)]
    assert not [place for place in places for box in boxes if box.contains(*place)]
    assert all(panel.bbox.x0 <= box.x0 and box.x1 <= panel.bbox.x1 for box in boxes)


def gap(box: Bbox, place: tuple[float, float]) -> float:
    """Pixels between a text and a mark."""
    return dist(place, (min(max(place[0], box.x0), box.x1), min(max(place[1], box.y0), box.y1)))


def test_no_name_seems_to_be_of_another_mark(mix: FittedMix) -> None:
    """One that stands nearer to another mark has a line to its own; two marks lie close together here."""
    one, other = [each for each in mix.named if each.kind == "uniform"][:2]
    option, *others = one.allocation.chosen
    more = attrs.evolve(option, nbytes=option.nbytes + 1000, kld=(option.kld or 0) + 0.1 * one.allocation.kld)
    near = attrs.evolve(other, allocation=attrs.evolve(one.allocation, chosen=(more, *others)))
    panel = drawn(partial(draw_frontier, mix=attrs.evolve(mix, named=(one, near)))).axes[0]
    names = [text for text in panel.texts if isinstance(text, Annotation)]
    marks = {text: tuple(panel.transData.transform(text.xy)) for text in names}
    assert len(names) == 3  # of two formats, and of the budget
    for text in names:
        gaps = {each: gap(Text.get_window_extent(text), place) for each, place in marks.items()}
        assert text.arrow_patch is not None or gaps[text] == min(gaps.values())


@pytest.mark.parametrize("kind", ["png", *(pytest.param(each, marks=pytest.mark.thorough) for each in ("svg", "pdf"))])
def test_pictures_are_the_same_each_time(mix: FittedMix, kind: str) -> None:
    pictures = {rendered(partial(draw_frontier, mix=mix), kind) for _ in range(2)}
    assert len(pictures) == 1
    assert next(iter(pictures)).startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])


def test_options_without_loss(costs: Costs, mix: FittedMix) -> None:
    """Points far below the others are left out; where no option loses anything, there is no picture."""
    lossless = attrs.evolve(mix, points=tuple(attrs.evolve(point, kld=0.0) for point in mix.points))
    with pytest.raises(UsageError, match="nothing to draw"):
        drawn(partial(draw_frontier, mix=lossless))
    last = attrs.evolve(mix.points[-1], kld=0.0)
    shown = drawn(partial(draw_frontier, mix=attrs.evolve(mix, points=(*mix.points[:-1], last)))).axes[0]
    assert min(float(y) for y in shown.lines[0].get_ydata()) > 0
