"""Cutting a text into the runs of tokens that a model is measured on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")


@attrs.frozen
class Protocol:
    """How a text is cut.

    Attributes:
        context: tokens of a window, the one before the text included.
        stride: new tokens of each window after the first; 0: windows do not overlap.
        documents: whether empty lines part documents, each of which is read by itself; what exceeds the context is cut.
        limit: tokens to score at most, counted in whole windows; 0: all.
    """

    context: int
    stride: int = 0
    documents: bool = False
    limit: int = 0

    def __str__(self) -> str:
        """In a few words."""
        if self.documents:
            return f"documents parted by empty lines, each after BOS, cut at {self.context} tokens"
        if self.stride:
            return f"windows of {self.context} tokens, each after BOS, {self.stride} new ones scored in each"
        return f"disjoint windows of {self.context} tokens, each after BOS, all scored"


@attrs.frozen
class Window:
    """A run of tokens.

    Attributes:
        tokens: the first one is not scored.
        first: position of the first token that is scored; at least 1.
    """

    tokens: tuple[int, ...]
    first: int = 1

    @property
    def scored(self) -> int:
        """How many tokens are scored."""
        return len(self.tokens) - self.first


def windows(text: str, tokenizer: Tokenizer, protocol: Protocol) -> Iterator[Window]:
    """The windows of a text, in order.

    Raises:
        UsageError: a protocol that cannot be, or no token to score.
    """
    if protocol.context < 2 or not 0 <= protocol.stride < protocol.context:
        found = f"context {protocol.context}, stride {protocol.stride}"
        raise UsageError("windows cannot be cut so", found=found, expected="a context above 1, a stride below it")
    cut = _documents if protocol.documents else _sliding if protocol.stride else _disjoint
    scored = 0
    for window in cut(text, tokenizer, protocol):
        if window.scored < 1:
            continue
        yield window
        scored += window.scored
        if protocol.limit and scored >= protocol.limit:
            return
    if not scored:
        raise UsageError("the text has no token to score", found=f"{len(text)} characters")


def _start(tokenizer: Tokenizer) -> tuple[int, ...]:
    return () if tokenizer.bos is None else (tokenizer.bos,)


def _documents(text: str, tokenizer: Tokenizer, protocol: Protocol) -> Iterator[Window]:
    for document in EMPTY_LINES.split(text.strip()):
        yield Window((*_start(tokenizer), *tokenizer.encode(document, bos=False))[: protocol.context])


def _disjoint(text: str, tokenizer: Tokenizer, protocol: Protocol) -> Iterator[Window]:
    start, tokens = _start(tokenizer), tokenizer.encode(text, bos=False)
    width = protocol.context - len(start)
    for first in range(0, len(tokens), width):
        yield Window((*start, *tokens[first : first + width]))


def _sliding(text: str, tokenizer: Tokenizer, protocol: Protocol) -> Iterator[Window]:
    start, tokens = _start(tokenizer), tokenizer.encode(text, bos=False)
    width = protocol.context - len(start)
    yield Window((*start, *tokens[:width]))
    for end in range(width + protocol.stride, len(tokens) + protocol.stride, protocol.stride):
        shown = tokens[max(0, min(end, len(tokens)) - width) : end]
        new = min(end, len(tokens)) - (end - protocol.stride)
        yield Window((*start, *shown), len(start) + len(shown) - new)
