"""Histograms: bars of counts, before and after on the same bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from fourcc.drawing.markup import element, number, text

WIDTH, HEIGHT = 480, 150  # units of the drawing
TALL = 250  # of the highest bar, in the units of its path
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
    drawn = []
    if before:
        drawn.append(_staircase(_heights(shares[1], top), "fc-before"))
        drawn.append(_staircase(_heights(shares[0], top), "fc-line"))
    else:
        shape = _apart if codes else _staircase
        drawn.append(shape(_heights(shares[0], top), "fc-bars"))
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


def _heights(shares: Sequence[float], top: float) -> list[int]:
    """Heights, the highest bar's being `TALL`; a bar of few weights is still seen."""
    return [max(1, round(TALL * share / top)) if share > 0 else 0 for share in shares]


def _place(share: float) -> float:
    return SIDE + share * (WIDTH - 2 * SIDE)


def _scaled(path: str, bars: int, kind: str) -> str:
    """A path in which a bar is 1 wide and the highest one `TALL` high: short, since a page may have thousands."""
    across = (WIDTH - 2 * SIDE) / max(1, bars)
    up = (HEIGHT - FOOT - 6) / TALL
    move = f"translate({SIDE} {HEIGHT - FOOT}) scale({across:.5g} -{up:.4g})"
    return element("path", d=path, transform=move, class_=kind)


def _staircase(heights: Sequence[int], kind: str) -> str:
    """Bars side by side, as one outline."""
    path, before = "M0 0", 0
    for height, some in groupby(heights):
        path += (f"v{height - before}" if height != before else "") + f"h{len(list(some))}"
        before = height
    return _scaled(f"{path}V0z", len(heights), kind)


def _apart(heights: Sequence[int], kind: str) -> str:
    """Bars with gaps between them."""
    bars = [f"M{place + 0.1:g} 0v{height}h.8V0" for place, height in enumerate(heights) if height]
    return _scaled("".join(bars), len(heights), kind)


def _axis(ends: tuple[float, float], *, open_ends: bool, codes: bool) -> list[str]:
    low, high = ends
    floor = HEIGHT - FOOT
    signs = ("≤ ", "≥ ") if open_ends else ("", "")
    lines = [element("path", d=f"M{SIDE} {floor}h{WIDTH - 2 * SIDE}", class_="fc-axis")]
    labels: list[tuple[float, str | None, str]] = [
        (SIDE, None, f"{signs[0]}{number(low, 3)}"),
        (WIDTH - SIDE, "end", f"{signs[1]}{number(high, 3)}"),
    ]
    if low < 0 < high and not codes:
        place = _place(-low / (high - low))
        lines.append(element("path", d=f"M{place:.5g} {floor}v4", class_="fc-axis"))
        if 0.15 < -low / (high - low) < 0.85:
            labels.append((round(place, 1), "middle", "0"))
    return lines + [
        element("text", text(label), x=x, y=HEIGHT - 5, text_anchor=anchor, class_="fc-label")
        for x, anchor, label in labels
    ]
