"""The drawing and the facts that stand on a format's page, behind its first words."""

from __future__ import annotations

import re
from pathlib import Path

from fourcc.drawing.markup import element, number, text
from fourcc.drawing.table import Markup, facts, table
from specs.site import abilities, block_drawing, measured
from specs.site.blocks import block_of
from specs.site.formats_shown import Shown, shown

SECTION = re.compile(r"^## ", re.MULTILINE)


def with_facts(markdown: str, uri: str, root: Path) -> str:
    """A format's page with its drawing and facts in front of its first section; any other page as it is."""
    found = next((each for each in shown() if each.page == uri), None)
    start = SECTION.search(markdown)
    if found is None or start is None:
        return markdown
    return f"{markdown[: start.start()]}{_facts(found, root)}\n\n{markdown[start.start() :]}"


def _facts(shown: Shown, root: Path) -> str:
    """A figure with its legend, and a list."""
    block = block_of(shown.fmt)
    drawn = block_drawing.drawing(block, abilities.described(shown.fmt))
    words = f"One block: {abilities.shape(shown.fmt)}. A square is a byte"
    hollow = "; a flat dash is stored once for what blocks share" if any(piece.shared for piece in block.pieces) else ""
    caption = element("figcaption", text(f"{words}{hollow}."))
    figure = element("figure", drawn, caption, _legend(shown), class_="fc-format")
    return element("div", figure, facts(_pairs(shown, root)), class_="fc-site fc-about")


def _legend(shown: Shown) -> str:
    """A table of the pieces with their colours."""
    block = block_of(shown.fmt)
    classes = block_drawing.colours(block)
    rows: list[dict[str, object]] = [
        {
            "part": Markup(
                element("i", "", class_=f"fc-swatch {classes[piece.name]}") + element("code", text(piece.name))
            ),
            "holds": f"{piece.numbers}, {abilities.belongs(piece)}",
            "bits/weight": Markup(number(float(piece.share), 4)),
        }
        for piece in block.pieces
    ]
    return table(rows)


def _pairs(shown: Shown, root: Path) -> dict[str, object]:
    """Name -> value of what is known of the format."""
    found, fmt = measured.of(shown.tag, root), shown.fmt
    level = abilities.level(fmt)
    errors = None if found.gauss is None else f"{_decibels(found.gauss)}; {_decibels(found.heavy)} with heavy tails"
    pairs: dict[str, object | None] = {
        "bits per weight": Markup(text(f"{shown.bits:.4g} ") + block_drawing.bar(block_of(fmt))),
        "SQNR": errors,
        "KL divergence": None
        if found.divergence is None
        else f"{number(found.divergence, 2)} nats a token, a small model",
        "speed": None if found.speed is None else f"{number(found.speed, 3)} GB/s, one activation, two threads",
        "products": None if level == "-" else level,
        "can": abilities.can(fmt),
        "elsewhere": abilities.elsewhere(fmt) or None,
        "provided by": shown.entry.owner,
        "beside others": Markup(element("a", "the gallery", href="formats/index.html")),
    }
    return {name: value for name, value in pairs.items() if value is not None}


def _decibels(value: float | None) -> str:
    return "exact" if value == float("inf") else f"{value} dB"
