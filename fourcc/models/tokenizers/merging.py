"""Merges neighbours, the best pair first, as all byte-pair tokenizers do, in O(n log n)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from heapq import heappop, heappush
from itertools import pairwise
from typing import TypeVar

_CHUNKS_KEPT, _LONGEST_KEPT = 1 << 14, 64

Symbol = TypeVar("Symbol")
Joined = tuple[float, Symbol]  # cost, merged symbol


def merge(symbols: list[Symbol], join: Callable[[Symbol, Symbol], Joined[Symbol] | None]) -> list[Symbol]:
    """The symbols after all merges: again and again the cheapest pair of neighbours is merged; ties go to the leftmost.

    ::

        place     0  1  2  3
        symbols   t  h  e  y      a symbol reaches from its place to that of the next one: after[0] is 1
        merged    th    e  y      after[0] is 2; no symbol has place 1 any more

    The heap holds pairs: the place of the first symbol, that of the second, and the end of the second. If all three
    still hold when a pair is taken out, neither symbol has changed.

    Args:
        symbols: the symbols before all merges.
        join: (left, right) -> their cost (no NaN) and the merged symbol, or None where they do not merge.

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
        merged = join(one, two)
        if merged is not None:
            heappush(heap, (merged[0], left, right, after[right], merged[1]))

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


class Chunks:
    """Cuts a text where no merge can cross: between two characters that are neighbours in no token.

    In most vocabularies that is before each space, so words are merged one by one, and a word seen before is only
    looked up.

    Args:
        texts: texts of all tokens that a merge can give.
        encode: a chunk -> its tokens.
        alphabet: characters beside which a cut is allowed; None: all.
    """

    def __init__(
        self, texts: Iterable[str], encode: Callable[[str], list[int]], alphabet: frozenset[str] | None = None
    ) -> None:
        self._pairs = {text[at : at + 2] for text in texts for at in range(len(text) - 1)}
        self._alphabet = alphabet
        self._encode = encode
        self._cached = lru_cache(_CHUNKS_KEPT)(encode)

    def cut(self, text: str) -> list[str]:
        """The chunks of a text, in order."""
        cuts = [at for at in range(1, len(text)) if text[at - 1 : at + 1] not in self._pairs]
        if self._alphabet is not None:
            cuts = [at for at in cuts if text[at - 1] in self._alphabet and text[at] in self._alphabet]
        return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])] if text else []

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        encoders = ((self._cached if len(chunk) <= _LONGEST_KEPT else self._encode, chunk) for chunk in self.cut(text))
        return [token for encode, chunk in encoders for token in encode(chunk)]
