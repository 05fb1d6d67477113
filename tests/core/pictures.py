"""Looking into pictures: what is drawn must lie inside, and names must not lie on each other."""

from collections.abc import Callable, Iterator
from itertools import combinations

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from fourcc.analysis.plotting import STYLE


def drawn(draw: Callable[[Figure], None]) -> Figure:
    """The figure, with everything in its place."""
    with mpl.rc_context(STYLE):
        figure = Figure(layout="constrained")
        draw(figure)
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """Every text that can be seen, with its place in pixels; an annotation without its line."""
    unseen = set(_labels_beyond(figure))
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen:
            yield text.get_text(), Text.get_window_extent(text)


def _labels_beyond(figure: Figure) -> Iterator[Text]:
    """Labels of ticks beyond the ends of an axis: they are there, but are not drawn."""
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis, *(each.xaxis for each in panel.child_axes)):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    yield from (tick.label1, tick.label2)


def assert_whole(figure: Figure) -> None:
    """Every text lies inside of the picture, legends whole, and no two texts lie on each other."""
    edge = figure.bbox.padded(1)
    found = [*texts(figure)]
    outside = [text for text, box in found if not (edge.contains(*box.min) and edge.contains(*box.max))]
    assert not outside
    for legend in figure.legends:
        assert isinstance(legend, Legend)
        assert edge.contains(*legend.get_window_extent().min)
        assert edge.contains(*legend.get_window_extent().max)
    inner = [(text, box.padded(-1)) for text, box in found]
    pairs = [(one, other) for (one, a), (other, b) in combinations(inner, 2) if a.overlaps(b)]
    assert not pairs
