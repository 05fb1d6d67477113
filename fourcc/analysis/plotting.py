"""Pictures, drawn by the package matplotlib, as PNG, SVG or PDF: what all of them have in common.

No window is opened and no global setting is changed. Equal input gives equal SVG text: no date, ids from a fixed salt.
Titles stand at the upper left, legends below; both are fitted to the picture's width. Colours are told apart by people
who see few of them, and nothing is told by colour alone: markers, line styles and names go with it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourcc import installation
from fourcc.drawing.palette import SERIES
from fourcc.errors import UsageError, shown

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = SERIES  # colours of kinds of tensor, and of others that stand side by side
MARKERS = "osD^vPX*<"  # one more than colours: pairs repeat late
GREY = "#6b6b6b"
SMALL, PLAIN, LARGE = 7.0, 8.0, 10.0  # sizes of letters, in points
STYLE = {
    "font.size": PLAIN,
    "axes.titlesize": PLAIN,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "fourcc",
    "svg.fonttype": "none",
}
FORMATS = ("png", "svg", "pdf")
ON_SCREEN = 1.06  # the width of letters that fill whole dots, by their exact width
MISSING = r"Glyph \d+ .* missing from font"  # a name in another script gets boxes
LONGEST = 300  # letters of a text before it is fitted to its room


def check_kind(kind: str) -> Any:  # noqa: ANN401 - a module
    """The package matplotlib. Raises UsageError where it is missing, or cannot draw that kind of picture."""
    if kind not in FORMATS:
        raise UsageError("no such kind of picture", found=repr(kind), expected=" or ".join(FORMATS))
    try:
        return import_module("matplotlib")
    except ImportError as error:
        hint = installation.hint("plots")
        raise UsageError("plots need the package matplotlib, which is not installed", hint=hint) from error


def rendered(draw: Callable[[Figure], None], kind: str) -> bytes:
    """The bytes of a picture's file.

    Args:
        draw: draws on a new figure.
        kind: ``png``, ``svg`` or ``pdf``.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to draw.
    """
    matplotlib = check_kind(kind)
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", MISSING)
        figure = import_module("matplotlib.figure").Figure(layout="constrained")
        draw(figure)
        file = io.BytesIO()
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(file, format=kind, dpi=150, metadata=dated.get(kind))
    return file.getvalue()


def titled(model: str | Path, what: str) -> str:
    """The title of a picture of a model; with an empty name, what the picture shows."""
    name = model if isinstance(model, str) else model.name or model.resolve().name
    return f"{name}: {what}" if name else what[:1].upper() + what[1:]


def headed(figure: Figure, title: str, below: str = "") -> None:
    """Makes a picture higher by its title, and by plainer lines below it; both are broken where they are too long."""
    width, height = figure.get_size_inches()
    lines, more = broken(title, 72 * width - 12, LARGE, bold=True), broken(below, 72 * width - 12, PLAIN)
    step = 1.3 * LARGE * len(lines)
    room = (10 + step + 1.35 * PLAIN * len(more)) / 72
    figure.set_figheight(height + room)
    left, points = 6 / (72 * width), 72 * (height + room)
    plain: dict[str, Any] = {"va": "top", "linespacing": 1.2, "parse_math": False}
    figure.text(left, 1 - 6 / points, "\n".join(lines), size=LARGE, weight="bold", **plain)
    figure.text(left, 1 - (7 + step) / points, "\n".join(more), size=PLAIN, color=GREY, **plain)
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, height / (height + room)))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of text in points; on a screen it may be a little more, as letters fill whole dots."""
    fonts, paths = import_module("matplotlib.font_manager"), import_module("matplotlib.textpath")
    font = fonts.FontProperties(size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MISSING)
        return ON_SCREEN * float(paths.text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def fitting(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """A line of text in at most `room` points; what is too long loses its middle."""
    cut = plain = shown(text, LONGEST)
    left = len(plain)
    while left > 2 and text_width(cut, size, bold=bold) > room:
        left -= max(1, left // 16)
        cut = f"{plain[: left // 2]}…{plain[-(left - left // 2) :]}"
    return cut


def broken(text: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """A text as lines of at most `room` points, broken between words."""
    lines: list[str] = []
    for word in shown(text, LONGEST).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(fitting(word, room, size, bold=bold))
    return lines


def legend_below(figure: Figure, entries: Sequence[tuple[Artist, str]]) -> None:
    """Makes a picture higher by a legend under it, with as many columns as its width has room for.

    Names stand as they are: none is taken for mathematics, and one that starts with an underscore is not left out.
    """
    if not entries:
        return
    width, height = figure.get_size_inches()
    names = [fitting(name, 72 * width - 6 * PLAIN, PLAIN) for _, name in entries]
    widest = max(text_width(name, PLAIN) for name in names) + 5 * PLAIN  # with the mark and the gap before it
    columns = min(len(names), max(1, int((72 * width - PLAIN) / widest)))
    figure.set_figheight(height + (1.7 * PLAIN * -(-len(names) // columns) + PLAIN) / 72)
    marks, numbers = [mark for mark, _ in entries], [str(number) for number in range(len(names))]
    legend = figure.legend(marks, numbers, loc="outside lower center", ncols=columns, columnspacing=1.5)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def whole_numbers(most: int, *, ticks: int = 8) -> list[int]:
    """Whole numbers from 0 to `most`, evenly spaced, for the ticks of an axis."""
    locator = import_module("matplotlib.ticker").MaxNLocator(ticks, integer=True)
    return sorted({int(value) for value in locator.tick_values(0, max(1, most)) if 0 <= value <= most})


def axes_of(
    figure: Figure, count: int, width: float, *, columns: int, height: float, sharey: bool = False
) -> list[Axes]:
    """Axes side by side, as many as the width has room for, in rows.

    Args:
        figure: gets its size.
        count: number of panels.
        width: of the picture, in inches; 0: what the columns need.
        columns: at most.
        height: of a row, in inches; a title and a legend come to it.
        sharey: whether all have one vertical scale.
    """
    columns = min(count, columns, max(1, int((width - 0.6) / 2.2)) if width else columns)
    rows = -(-count // columns)
    figure.set_size_inches(width or 0.6 + 2.6 * columns, height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for empty in axes[count:]:
        empty.remove()
    return axes[:count]
