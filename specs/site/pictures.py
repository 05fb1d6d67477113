"""Pictures: those that the site draws where a page has a mark for them, and those in two colours."""

from __future__ import annotations

import re
from pathlib import Path

from fourcc.drawing.frontier import Mark, frontier
from fourcc.drawing.markup import element
from specs.site import measured
from specs.site.formats_shown import shown

FORMATS = "<!-- picture: formats -->"
UNIT = 1000  # of the drawing's axis, which counts whole numbers: a thousandth of a bit
DARK = r'<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">'
TWO = re.compile(rf'<picture>\s*{DARK}\s*<img ([^>]*)src="([^"]+)"([^>]*)>\s*</picture>')
RUINED = 1.0  # nats a token: beyond, little of a model is left
WORDS = "Below and left is better. The line joins the formats that no other one beats in both."
LEFT_OUT = "Not drawn, since they are for models that were trained for them: {}."
TITLE = "KL divergence of a small model by bits per weight, for every format that can be written"


def filled(markdown: str, root: Path) -> str:
    """A page with its pictures; one in two colours goes by the reader's choice, as a code host goes by the system's."""
    markdown = markdown.replace(FORMATS, formats(root)) if FORMATS in markdown else markdown
    return TWO.sub(r'<img \2src="\3#only-light"\4><img \2src="\1#only-dark"\4>', markdown)


def formats(root: Path) -> str:
    """Every format that was measured on the model, by bits and KL divergence, with the line of the best."""
    found = {each.tag: (each.bits, measured.of(each.tag, root).divergence) for each in shown() if not each.plain}
    marks = [Mark(tag, round(bits * UNIT), kld) for tag, (bits, kld) in found.items() if kld is not None]
    drawn = [mark for mark in marks if mark.kld <= RUINED]
    best = unbeaten([(mark.nbytes, mark.kld) for mark in drawn])
    picture = frontier(best, drawn, weights=8 * UNIT, bits="bits per weight", title=TITLE)
    left_out = ", ".join(f"`{mark.name}`" for mark in marks if mark.kld > RUINED)
    return f"{_framed(picture)}\n\n{WORDS}{f' {LEFT_OUT.format(left_out)}' if left_out else ''}"


def _framed(drawn: str) -> str:
    return element("div", drawn, class_="fc-site fc-picture", tabindex=0, role="group", aria_label=TITLE)


def unbeaten(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points that no other one beats in both numbers, by the first."""
    best: list[tuple[int, float]] = []
    for size, loss in sorted(points):
        if not best or loss < best[-1][1]:
            best.append((size, loss))
    return best
