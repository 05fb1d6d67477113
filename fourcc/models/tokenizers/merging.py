"""Merging neighbours, the best pair first: what all byte-pair tokenizers do, in n log n steps."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise
from typing import TypeVar

Symbol = TypeVar("Symbol")
Found = tuple[float, Symbol]  # cost, what the two become


def merge(symbols: list[Symbol], join: Callable[[Symbol, Symbol], Found[Symbol] | None]) -> list[Symbol]:
    """The symbols after all merges: over and over the cheapest pair of neighbours becomes one, the leftmost of equals.

    ::

        place     0  1  2  3
        symbols   t  h  e  y      a symbol reaches from its place to that of the next one: after[0] is 1
        merged    th    e  y      after[0] is 2; no symbol has place 1 any more

    A pair waits in the heap with its place, the place of its second symbol and where that one ends. If all three are
    still so when its turn comes, neither symbol has changed.

    Args:
        symbols: at the start.
        join: (left, right) -> their cost (no NaN) and what they become, or None where they do not merge.

    >>> merge(list("banana"), lambda a, b: (len(a + b), a + b) if a + b in {"an", "ana", "ba"} else None)
    ['ba', 'n', 'ana']
    """
    count = len(symbols)
    now: list[Symbol | None] = list(symbols)
    after, before = list(range(1, count + 1)), list(range(-1, count))
    heap: list[tuple[float, int, int, int, Symbol]] = []

    def offer(left: int, right: int) -> None:
        if left < 0 or right == count:
            return
        one, two = now[left], now[right]
        assert one is not None
        assert two is not None
        found = join(one, two)
        if found is not None:
            heappush(heap, (found[0], left, right, after[right], found[1]))

    for left, right in pairwise(range(count)):
        offer(left, right)
    while heap:
        _, left, right, end, joined = heappop(heap)
        if now[left] is None or after[left] != right or after[right] != end:
            continue
        now[left], now[right] = joined, None
        after[left], before[end] = end, left
        offer(before[left], left)
        offer(left, end)
    return [symbol for symbol in now if symbol is not None]
