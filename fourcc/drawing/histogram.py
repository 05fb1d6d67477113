"""Histograms: bars of counts, before and after on the same bars."""

from __future__ import annotations

from collections.abc import Sequence

from fourcc.drawing.markup import element, number, text

WIDTH, HEIGHT = 480, 150  # units of the drawing
FOOT, SIDE = 20, 8  # room for the numbers below the bars, and beside them


def histogram(
    counts: Sequence[int],
    ends: tuple[float, float],
    *,
    before: Sequence[int] | None = None,
    title: str,
    codes: bool = False,
    open_ends: bool = False,
) -> str:
    """A histogram as SVG.

    Args:
        counts: of each bar, from left to right.
        ends: of the range that the bars divide; of codes, the first and the last.
        before: counts of the same bars to compare with, drawn as an area behind them.
        title: a sentence that says what is seen, for screen readers.
        codes: whether each bar is a code, or a run of codes; bars then stand apart.
        open_ends: whether the outermost bars also count what lies beyond them.

    Returns:
        An ``<svg>``; shares, not counts, are compared, so both may be of different samples.
    """
    shares = [_shares(counts), _shares(before or ())]
    top = max((share for some in shares for share in some), default=0.0) or 1.0
    heights = [[share / top for share in some] for some in shares]
    drawn = [element("path", d=_outline(heights[1]), class_="fc-before", fill="#b9c3cf")] if before else []
    kind = "fc-line" if before else "fc-bars"
    shape = _outline(heights[0]) if before else _bars(heights[0], 0.22 if codes else 0.0)
    paint = {"fill": "none", "stroke": "#0b5cad"} if before else {"fill": "#0b5cad"}
    drawn.append(element("path", d=shape, class_=kind, **paint))
    return element(
        "svg",
        element("title", text(title)),
        *drawn,
        *_axis(ends, open_ends=open_ends, codes=codes),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="fc-plot fc-histogram",
    )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _place(share: float) -> float:
    return SIDE + share * (WIDTH - 2 * SIDE)


def _bars(heights: Sequence[float], gap: float) -> str:
    """Rectangles in one path, `gap` of a bar apart."""
    width = (WIDTH - 2 * SIDE) / max(1, len(heights))
    floor = HEIGHT - FOOT
    pieces = []
    for place, height in enumerate(heights):
        left, tall = SIDE + (place + gap / 2) * width, height * (floor - 6)
        if height > 0:
            tall = max(tall, 0.7)  # a bar of few weights is still seen
            pieces.append(f"M{left:.5g} {floor}v{-tall:.4g}h{width * (1 - gap):.4g}V{floor}z")
    return "".join(pieces)


def _outline(heights: Sequence[float]) -> str:
    """One staircase over all bars."""
    width = (WIDTH - 2 * SIDE) / max(1, len(heights))
    floor = HEIGHT - FOOT
    steps = "".join(f"V{floor - height * (floor - 6):.4g}h{width:.4g}" for height in heights)
    return f"M{SIDE} {floor}{steps}V{floor}"


def _axis(ends: tuple[float, float], *, open_ends: bool, codes: bool) -> list[str]:
    low, high = ends
    floor = HEIGHT - FOOT
    signs = ("≤ ", "≥ ") if open_ends else ("", "")
    lines = [element("path", d=f"M{SIDE} {floor}h{WIDTH - 2 * SIDE}", class_="fc-axis", stroke="#77808c", fill="none")]
    labels: list[tuple[float, str, str]] = [
        (SIDE, "start", f"{signs[0]}{number(low, 3)}"),
        (WIDTH - SIDE, "end", f"{signs[1]}{number(high, 3)}"),
    ]
    if low < 0 < high and not codes:
        place = _place(-low / (high - low))
        lines.append(element("path", d=f"M{place:.5g} {floor}v4", class_="fc-axis", stroke="#77808c", fill="none"))
        if 0.15 < -low / (high - low) < 0.85:
            labels.append((round(place, 1), "middle", "0"))
    return lines + [
        element("text", text(label), x=x, y=HEIGHT - 5, text_anchor=anchor, font_size=11, class_="fc-label")
        for x, anchor, label in labels
    ]
