"""Pictures that the site draws where a page has a mark for them; a code host shows nothing there."""

from __future__ import annotations

from pathlib import Path

from fourcc.drawing.frontier import Mark, frontier
from fourcc.drawing.markup import element
from specs.site import measured
from specs.site.formats_shown import shown

FORMATS = "<!-- picture: formats -->"
UNIT = 1000  # of the drawing's axis, which counts whole numbers: a thousandth of a bit
TITLE = "KL divergence of a small model by bits per weight, for every format that can be written"


def filled(markdown: str, root: Path) -> str:
    """A page with its pictures."""
    return markdown.replace(FORMATS, formats(root)) if FORMATS in markdown else markdown


def formats(root: Path) -> str:
    """Every format that was measured on the model, by bits and KL divergence."""
    found = {each.tag: (each.bits, measured.of(each.tag, root).divergence) for each in shown() if not each.plain}
    marks = [Mark(tag, round(bits * UNIT), kld) for tag, (bits, kld) in found.items() if kld is not None]
    best = unbeaten([(mark.nbytes, mark.kld) for mark in marks])
    drawn = frontier(best, marks, weights=8 * UNIT, bits="bits per weight", title=TITLE)
    return element("div", drawn, class_="fc fc-picture", tabindex=0, role="group", aria_label="picture")


def unbeaten(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points that no other one beats in both numbers, by the first."""
    best: list[tuple[int, float]] = []
    for size, loss in sorted(points):
        if not best or loss < best[-1][1]:
            best.append((size, loss))
    return best
