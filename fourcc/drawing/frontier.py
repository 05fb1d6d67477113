"""The frontier: the least divergence for every size, with files and single formats as marks beside the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, floor, log10
from typing import Literal

import attrs

from fourcc.drawing.markup import element, joined, number, size, text

WIDTH, HEIGHT = 720, 380  # units of the drawing
LEFT, RIGHT, TOP, FOOT = 62, 18, 28, 44  # room around the panel
LETTER, LINE = 6.4, 13.0  # width of a letter and height of a line of a mark's name
LEAST_SHARE = 1e-4  # of the largest divergence: what is below would stretch the axis

Box = tuple[float, float, float, float]  # left, top, right, bottom


@attrs.frozen
class Mark:
    """A named point beside the line.

    Attributes:
        name: its name.
        nbytes: bytes of all tensors.
        kld: divergence in nats a token.
        kind: ``file``: the file that is shown; ``format``: all in one format; ``other``: anything else.
    """

    name: str
    nbytes: int
    kld: float
    kind: Literal["file", "format", "other"] = "format"


@attrs.frozen
class _Panel:
    """The panel's range: bytes, and the logarithm of the divergence."""

    low: float
    high: float
    bottom: float
    top: float

    def at(self, nbytes: float, kld: float) -> tuple[float, float]:
        x = LEFT + (nbytes - self.low) / ((self.high - self.low) or 1) * (WIDTH - LEFT - RIGHT)
        y = TOP + (self.top - log10(kld)) / ((self.top - self.bottom) or 1) * (HEIGHT - TOP - FOOT)
        return round(x, 1), round(y, 1)


def frontier(
    points: Sequence[tuple[int, float]],
    marks: Sequence[Mark] = (),
    *,
    weights: int = 0,
    bits: str = "bits per weight, over all tensors",
    title: str,
) -> str:
    """A frontier as SVG, divergence on a logarithmic axis.

    Args:
        points: bytes of all tensors and divergence in nats a token, by bytes.
        marks: files and single formats.
        weights: of the model, for an axis in bits per weight; 0: the axis is in bytes.
        bits: the words below an axis in bits per weight.
        title: a sentence that says what is seen, for screen readers.

    Returns:
        An ``<svg>``; an empty text where no point has a divergence above 0.
    """
    least = LEAST_SHARE * max((kld for _, kld in points), default=0.0)
    line = [(nbytes, kld) for nbytes, kld in points if kld >= least > 0]
    seen = [mark for mark in marks if mark.kld >= least > 0]
    if not line:
        return ""
    panel = _panel([*line, *((mark.nbytes, mark.kld) for mark in seen)])
    places = [panel.at(*point) for point in line]
    path = "M" + "L".join(f"{x} {y}" for x, y in places)
    return element(
        "svg",
        element("title", text(title)),
        *_axes(panel, weights, bits),
        element("path", d=path, class_="fc-line", fill="none", stroke="#0b5cad", stroke_width=1.6),
        *_marks(panel, seen, places),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="fc-plot fc-frontier",
    )


def _panel(points: Sequence[tuple[float, float]]) -> _Panel:
    sizes = [nbytes for nbytes, _ in points]
    powers = [log10(kld) for _, kld in points]
    room = 0.04 * (max(sizes) - min(sizes)) or 1.0
    return _Panel(min(sizes) - room, max(sizes) + room, min(powers) - 0.15, max(powers) + 0.15)


def _axes(panel: _Panel, weights: int, bits: str) -> Iterator[str]:
    right, foot = WIDTH - RIGHT, HEIGHT - FOOT
    for power in range(ceil(panel.bottom), floor(panel.top) + 1):
        _, y = panel.at(panel.low, 10.0**power)
        yield element("path", d=f"M{LEFT} {y}H{right}", class_="fc-rule", stroke="#dde1e6", fill="none")
        yield _label(number(10.0**power, 2), LEFT - 7, y + 4, "end")
    unit = weights / 8 if weights else 1.0
    for value in _round_numbers(panel.low / unit, panel.high / unit):
        x, _ = panel.at(value * unit, 1.0)
        yield element("path", d=f"M{x} {foot}v4", class_="fc-axis", stroke="#77808c", fill="none")
        yield _label(number(value) if weights else size(value), x, foot + 17, "middle")
    yield element("path", d=f"M{LEFT} {TOP}V{foot}H{right}", class_="fc-axis", stroke="#77808c", fill="none")
    words = bits if weights else "size of all tensors"
    yield _label(words, (LEFT + right) / 2, HEIGHT - 8, "middle")
    yield _label("KL divergence, nats a token", 0, 12, "start")


def _round_numbers(low: float, high: float) -> Iterator[float]:
    """Up to eight round numbers in a range."""
    wanted = (high - low) / 8
    power = 10.0 ** floor(log10(wanted))
    width = next(power * times for times in (1, 2, 5, 10) if power * times >= wanted)
    for place in range(ceil(low / width), floor(high / width) + 1):
        yield place * width


def _label(words: str, x: float, y: float, anchor: str, kind: str = "fc-label") -> str:
    place = {"x": round(x, 1), "y": round(y, 1)}
    return element("text", text(words), **place, text_anchor=anchor, font_size=11, class_=kind)


def _marks(panel: _Panel, marks: Sequence[Mark], line: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Marks with their names; a name for which there is no room is left out, but can be pointed at."""
    first = sorted(marks, key=lambda mark: (mark.kind == "format", mark.nbytes))
    places = {mark: panel.at(mark.nbytes, mark.kld) for mark in first}
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in [*places.values(), *line]]
    for mark in first:
        x, y = places[mark]
        words = f"{mark.name}: {size(mark.nbytes)}, {number(mark.kld, 3)} nats a token"
        yield element("g", element("title", text(words)), _shape(mark, x, y))
        found = next((box for box in _boxes(mark, x, y) if _free(box, taken)), None)
        if found is not None:
            taken.append(found)
            yield _label(mark.name, found[0], found[3] - 3, "start", f"fc-name fc-of-{mark.kind}")


def _shape(mark: Mark, x: float, y: float) -> str:
    kind = f"fc-mark fc-of-{mark.kind}"
    if mark.kind == "file":
        return element("path", d=f"M{x} {y - 7}l7 7l-7 7l-7 -7z", class_=kind, fill="#d55e00")
    return element("circle", cx=x, cy=y, r=3.5 if mark.kind == "format" else 6, class_=kind, fill="#5b6570")


def _boxes(mark: Mark, x: float, y: float) -> Iterator[Box]:
    """Places for a name: right of its mark, left, above, below."""
    wide = len(mark.name) * LETTER * (1 if mark.kind == "format" else 1.12)  # of a bold name
    far = 8 if mark.kind == "format" else 12
    middle = x - wide / 2
    for left, top in (
        (x + far, y - LINE / 2),
        (x - wide - far, y - LINE / 2),
        (middle, y - LINE - far),
        (middle, y + far),
    ):
        yield left, top, left + wide, top + LINE


def _free(box: Box, taken: Sequence[Box]) -> bool:
    inside = box[0] >= LEFT and box[2] <= WIDTH - RIGHT and box[1] >= TOP and box[3] <= HEIGHT - FOOT
    return inside and not any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken
    )


def legend(kinds: Iterable[str]) -> str:
    """The words for the line and for marks of these kinds, as HTML."""
    words = {"line": "best mixes", "file": "this file", "other": "compared with", "format": "all in one format"}
    present = {"line", *kinds}
    items = [element("li", text(word), class_=f"fc-key-{kind}") for kind, word in words.items() if kind in present]
    return element("ul", joined(items), class_="fc-keys")
