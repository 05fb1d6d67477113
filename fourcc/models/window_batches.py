"""Batches of windows: the parts of a text that are read, summed and kept one by one.

They follow from the text alone, never from the machine, so sums that are made batch by batch are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from fourcc.models.windows import Window

MOST = 64  # batches of a text: a calibration writes the sums of a layer after each of them
LEAST_TOKENS = 2048  # of a batch, about, so that writing its sums takes little of its time


@attrs.frozen
class Batch:
    """Some consecutive windows.

    Attributes:
        windows: the windows.
        number: of the first one, counted from 0.
        token: of the first one's, counted over all windows.
    """

    windows: tuple[Window, ...]
    number: int
    token: int

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return sum(len(window.tokens) for window in self.windows)


def batches_of(windows: Sequence[Window], most: int | None = None) -> tuple[Batch, ...]:
    """All windows in batches of about as many tokens, one for each `LEAST_TOKENS`, at most `most`, or `MOST`."""
    firsts = [0]
    for window in windows:
        firsts.append(firsts[-1] + len(window.tokens))
    total = firsts.pop()
    count = min(most or MOST, max(1, total // LEAST_TOKENS))
    numbers = range(len(windows))
    grouped = [list(some) for _, some in groupby(numbers, lambda number: firsts[number] * count // total)]
    return tuple(Batch(tuple(windows[number] for number in some), some[0], firsts[some[0]]) for some in grouped)
