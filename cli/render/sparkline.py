"""Histograms in text: a line in a table, or bars for one tensor. Without block characters they are ASCII."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourcc.analysis.statistics import Bin

BLOCKS, ASCII = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588", " .:-=+*#@"  # from empty to full
FULL, PLAIN = "\u2588", "#"


def shows_blocks() -> bool:
    """Whether stdout's encoding has block characters."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def line(bins: Sequence[Bin]) -> str:
    """A character for each bar, in brackets. A bar above zero always shows."""
    levels = BLOCKS if shows_blocks() else ASCII
    most = max((each.count for each in bins), default=0) or 1
    return f"[{''.join(levels[-(-(len(levels) - 1) * each.count // most)] for each in bins)}]"


def bar(count: int, most: int, width: int) -> str:
    """A bar of at most `width` characters. A count above zero has at least one."""
    return (FULL if shows_blocks() else PLAIN) * -(-width * count // max(1, most))
