"""Cuts a text into the runs of tokens on which a model is measured, and describes the result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.begin_and_end import beginning

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")


@attrs.frozen
class Protocol:
    """How a text is to be cut.

    Attributes:
        context: tokens of a window, including the token before the text.
        stride: new tokens of each window after the first; 0: windows do not overlap.
        documents: whether empty lines separate documents, each of which is read by itself and cut at the context.
        limit: tokens to score at most; the last window is shortened to fit; 0: all.
    """

    context: int
    stride: int = 0
    documents: bool = False
    limit: int = 0

    def check(self) -> None:
        """Raises UsageError where the values are impossible."""
        if self.context < 2 or not 0 <= self.stride < self.context:
            found = f"context {self.context}, stride {self.stride}"
            raise UsageError(
                "windows cannot be cut in this way", found=found, expected="a context above 1, a stride below it"
            )
        if self.documents and self.stride:
            found = f"documents and stride {self.stride}"
            raise UsageError(
                "documents cannot be read in windows that overlap", found=found, expected="documents or a stride"
            )
        if self.limit < 0:
            raise UsageError("bad number of tokens to score", found=self.limit, expected="1 or more, or 0 for all")


@attrs.frozen
class Window:
    """A run of tokens.

    Attributes:
        tokens: the tokens; the first is not scored.
        first: position of the first scored token; at least 1.
        new: number of tokens of the text that no earlier window has, including those that did not fit.
    """

    tokens: tuple[int, ...]
    first: int = 1
    new: int = 0

    @property
    def scored(self) -> int:
        """Number of scored tokens."""
        return len(self.tokens) - self.first

    def shortened(self, scored: int) -> Window:
        """The window cut to so many scored tokens."""
        return attrs.evolve(self, tokens=self.tokens[: self.first + scored])


@attrs.frozen(repr=False)
class Cut:
    """A text, cut for one tokenizer.

    Attributes:
        protocol: how it was to be cut.
        windows: the windows in order; each has a token to score.
        bos: the token that begins each window; None where the tokenizer puts none before a text.
        tokens: number of tokens of the text; None where the limit left some of it unread.
    """

    protocol: Protocol
    windows: tuple[Window, ...]
    bos: int | None
    tokens: int | None

    @property
    def scored(self) -> int:
        """Number of scored tokens."""
        return sum(window.scored for window in self.windows)

    def __repr__(self) -> str:
        return f"<Cut: {self}>"

    def __str__(self) -> str:
        """How the text was cut, in a few words."""
        return f"{self._windows()}, {self._beginning()}; {self._end()}"

    def _windows(self) -> str:
        count, longest = len(self.windows), max(len(window.tokens) for window in self.windows)
        if self.protocol.documents:
            start, noun = int(self.bos is not None), "document" if count == 1 else "documents"
            full = [window for window in self.windows if len(window.tokens) == self.protocol.context]
            over = sum(window.new > len(window.tokens) - start for window in full)
            said = f"{count} {noun} parted by empty lines"
            return f"{said}, {over} of them cut at {longest} tokens" if over else said
        if count == 1:
            return f"1 window of {longest} tokens"
        if self.protocol.stride:
            new = max(window.scored for window in self.windows[1:])
            return f"{count} windows of at most {longest} tokens, up to {new} new ones in each after the first"
        return f"{count} disjoint windows of at most {longest} tokens"

    def _beginning(self) -> str:
        several = len(self.windows) > 1
        if self.bos is not None:
            return "each after BOS" if several else "after BOS"
        whole = "of the text" if self.protocol.stride else "of each" if several else "of it"
        return f"without BOS, so the first token {whole} is not scored"

    def _end(self) -> str:
        scored = self.scored
        noun = "token" if scored == 1 else "tokens"
        if self.tokens is None:
            return f"stopped after {scored} scored {noun}, the limit"
        return f"all {scored} {noun} scored" if scored == self.tokens else f"{scored} of {self.tokens} tokens scored"


def cut(text: str, tokenizer: Tokenizer, protocol: Protocol) -> Cut:
    """The text cut into windows.

    Raises:
        UsageError: the protocol is impossible, or there is no token to score.
    """
    protocol.check()
    kept: list[Window] = []
    seen, room = 0, protocol.limit or None
    for window in _windows(text, tokenizer, protocol):
        if room is not None and window.scored > room:
            kept += [window.shortened(room)] if room else []
            return Cut(protocol, tuple(kept), _bos(tokenizer), None)
        seen += window.new
        if window.scored > 0:
            kept.append(window)
            room = None if room is None else room - window.scored
    if not kept:
        raise UsageError("the text has no token to score", found=f"{len(text)} characters")
    return Cut(protocol, tuple(kept), _bos(tokenizer), seen)


def _bos(tokenizer: Tokenizer) -> int | None:
    """The token that begins each window, as it begins every text of this tokenizer."""
    return next(iter(beginning(tokenizer)), None)


def _windows(text: str, tokenizer: Tokenizer, protocol: Protocol) -> Iterator[Window]:
    """All windows, also those without a token to score."""
    start = beginning(tokenizer)
    if protocol.documents:
        for document in EMPTY_LINES.split(text.strip()):
            ids = tokenizer.encode(document, bos=False)
            yield Window((*start, *ids)[: protocol.context], new=len(ids))
        return
    tokens, width = tokenizer.encode(text, bos=False), protocol.context - len(start)
    if protocol.stride:
        yield from _sliding(tokens, start, width, protocol.stride)
        return
    for first in range(0, len(tokens), width):
        some = tokens[first : first + width]
        yield Window((*start, *some), new=len(some))


def _sliding(tokens: list[int], start: tuple[int, ...], width: int, stride: int) -> Iterator[Window]:
    yield Window((*start, *tokens[:width]), new=len(tokens[:width]))
    for before in range(width, len(tokens), stride):
        end = min(before + stride, len(tokens))
        shown, new = tokens[max(0, end - width) : end], end - before
        yield Window((*start, *shown), len(start) + len(shown) - new, new)
