"""Blocks as SVG, all at one scale: a bit is a unit wide, a byte a square, and a line has 32 bytes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import attrs

from fourcc.drawing.markup import element, text
from specs.site.blocks import Block, Piece

LINE = 256  # bits of a line
HEIGHT = 8  # of a byte
PITCH = HEIGHT + 2  # from a line to the next
GAP = 5  # between strips
BAR, BAR_HEIGHT, SHOWN_BITS = 8, 10, 10  # of the bar of bits: units a bit, its height, bits after which it is broken


@attrs.frozen
class Run:
    """Bits of a piece that stand in one line.

    Attributes:
        piece: the piece.
        x, y: where they begin; y is the middle of the line.
        bits: how many.
    """

    piece: Piece
    x: Fraction
    y: float
    bits: Fraction


def runs(block: Block) -> list[Run]:
    """All pieces, cut at the ends of lines."""
    found: list[Run] = []
    top = 0.0
    for strip in block.strips:
        at = Fraction(0)
        for piece in strip:
            found += _lines(piece, at, top)
            at += piece.bits
        top += -(-at // LINE) * PITCH + GAP
    return found


def _lines(piece: Piece, first: Fraction, top: float) -> Iterator[Run]:
    """The runs of a piece that begins at bit `first` of a strip."""
    at, last = first, first + piece.bits
    while at < last:
        line = at // LINE
        end = min(last, Fraction((line + 1) * LINE))
        yield Run(piece, at - line * LINE, top + line * PITCH + PITCH / 2, end - at)
        at = end


def drawing(block: Block, label: str) -> str:
    """The block as SVG; `label` is read out in place of it."""
    drawn = runs(block)
    height = max(run.y for run in drawn) + PITCH / 2
    width = max(float(run.x + run.bits) for run in drawn)
    classes = colours(block)
    body = "".join(_run(run, classes[run.piece.name]) for run in drawn)
    return _svg(width, height, "fc-block", label, body)


def _run(run: Run, colour: str) -> str:
    """A line of bytes; of those that blocks share only the outline."""
    kind = f"{colour} fc-shared" if run.piece.shared else colour
    line = f"M{_number(run.x)} {run.y:g}h{_number(run.bits)}"
    title = element("title", text(f"{run.piece.name}: {run.piece.numbers}"))
    start = _number(run.x % 8) if run.x % 8 else None
    return element("path", title, class_=kind, d=line, stroke_dashoffset=start)


def colours(block: Block) -> dict[str, str]:
    """Piece -> class of its colour: one row of colours for codes, one for what weights share."""
    found: dict[str, str] = {}
    for codes, name in ((True, "codes"), (False, "scale")):
        of_kind = [piece.name for piece in block.pieces if piece.codes is codes]
        found.update({each: f"fc-{name}-{min(number, 3)}" for number, each in enumerate(of_kind)})
    return found


def bar(block: Block) -> str:
    """Bits per weight as a bar, codes first; one that is too long is broken."""
    at, body = Fraction(0), ""
    classes = colours(block)
    for piece in sorted(block.pieces, key=lambda each: not each.codes):
        end = min(at + piece.share, Fraction(SHOWN_BITS))
        if end > at:
            x, width = _number(at * BAR), _number((end - at) * BAR)
            body += element("rect", class_=classes[piece.name], x=x, width=width, height=BAR_HEIGHT)
        at += piece.share
    if at > SHOWN_BITS:
        body += element("path", class_="fc-break", d=_strokes(SHOWN_BITS * BAR - 14) + _strokes(SHOWN_BITS * BAR - 8))
    return _svg(SHOWN_BITS * BAR, BAR_HEIGHT, "fc-bar", f"{float(block.bits_per_weight):.4g} bits per weight", body)


def _strokes(x: int) -> str:
    """A slanted stroke across the bar."""
    return f"M{x} {BAR_HEIGHT + 1}l4 -{BAR_HEIGHT + 2}"


def _svg(width: float, height: float, kind: str, label: str, body: str) -> str:
    box = f"0 0 {width:g} {height:g}"
    size = {"width": f"{width:g}", "height": f"{height:g}"}
    return element("svg", body, class_=kind, role="img", aria_label=label, viewBox=box, **size)


def _number(value: Fraction) -> str:
    return f"{float(value):g}"
