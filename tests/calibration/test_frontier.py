"""The frontier of all budgets: its points are the cheapest mixes; the picture is of the right numbers, and readable."""

from collections.abc import Callable
from functools import partial
from itertools import combinations, pairwise
from math import dist, fsum

import attrs
import pytest
from matplotlib.figure import Figure
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


def drawn(draw: Callable[[Figure], None]) -> Figure:
    """The figure, with everything in its place."""
    figure = Figure(layout="constrained")
    draw(figure)
    figure.draw_without_rendering()
    return figure


def test_the_picture_has_the_numbers(mix: FittedMix) -> None:
    """A line through the frontier, a mark for each named mix, and the mix itself; a logarithmic axis."""
    panel = drawn(partial(draw_frontier, mix=mix)).axes[0]
    lines = {str(line.get_label()): line for line in panel.lines}
    shown = [point for point in mix.points if point.kld >= 1e-3 * mix.points[0].kld]
    assert [float(x) for x in lines["best mixes"].get_xdata()] == [point.nbytes / 1e6 for point in shown]
    assert [float(y) for y in lines["best mixes"].get_ydata()] == [point.kld for point in shown]
    assert len(lines["single format"].get_xdata()) + len(lines["recipe"].get_xdata()) >= len(mix.named) - 2
    assert list(lines["this budget"].get_ydata()) == [mix.allocation.kld]
    assert panel.get_yscale() == "log"
    top = panel.child_axes[0]
    low, high = panel.get_xlim()
    assert top.get_xlim() == pytest.approx((low * 8e6 / mix.plan.weights, high * 8e6 / mix.plan.weights))


def test_the_legend_names_what_is_drawn(mix: FittedMix) -> None:
    """Kinds of which there is none are left out."""
    uniform = attrs.evolve(mix, named=tuple(each for each in mix.named if each.kind == "uniform"))
    legends = [drawn(partial(draw_frontier, mix=each)).axes[0].get_legend() for each in (mix, uniform)]
    words = [{text.get_text() for text in legend.get_texts()} for legend in legends if legend is not None]
    assert words[0] == {"best mixes", "single format", "recipe", "this budget"}
    assert words[1] == words[0] - {"recipe"}


def test_names_do_not_overlap(mix: FittedMix) -> None:
    """Nor do they cover a mark, or leave the panel; all have room."""
    figure = drawn(partial(draw_frontier, mix=mix))
    panel = figure.axes[0]
    names = [text for text in panel.texts if isinstance(text, Annotation)]
    marks = [line for line in panel.lines if line.get_label() in ("single format", "recipe")]
    assert len(names) == sum(len(line.get_xdata()) for line in marks)
    texts = [Text.get_window_extent(text) for text in names]  # without the line to the mark
    assert not [(a, b) for a, b in combinations(texts, 2) if a.overlaps(b)]
    places = [tuple(panel.transData.transform(pair)) for line in marks for pair in zip(*line.get_data(), strict=True)]
    assert not [place for place in places for text in texts if text.contains(*place)]
    assert all(panel.bbox.x0 <= text.x0 and text.x1 <= panel.bbox.x1 for text in texts)


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
    assert len(names) == 2
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
