"""Cutting a text into windows: every token is scored once, with as much before it as the protocol says."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourcc.errors import UsageError
from fourcc.models.windows import Protocol, Window, windows


class Letters:
    """A tokenizer with a token a character: its code, and 0 before a text."""

    vocab_size, bos, eos = 0x110000, 0, None

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Codes."""
        return [0] * bos + [ord(char) for char in text]

    def stream(self) -> object:
        """Not needed here."""
        raise NotImplementedError

    def text(self, ids: Iterable[int]) -> str:
        """Characters."""
        return "".join(map(chr, ids))


def cut(text: str, protocol: Protocol) -> list[Window]:
    """The windows of a text of letters."""
    return list(windows(text, Letters(), protocol))  # type: ignore[arg-type]


def scored(found: list[Window]) -> str:
    """The tokens that are scored, as a text."""
    return "".join(chr(token) for window in found for token in window.tokens[window.first :])


def test_disjoint_windows_begin_with_the_start_token() -> None:
    """All of the text is scored, in order."""
    found = cut("abcdefgh", Protocol(4))
    assert [Letters().text(window.tokens[1:]) for window in found] == ["abc", "def", "gh"]
    assert all(window.tokens[0] == 0 and window.first == 1 for window in found)


def test_sliding_windows_score_only_what_is_new() -> None:
    """Each new token has at least context - stride - 1 tokens before it."""
    found = cut("abcdefghij", Protocol(6, stride=2))
    assert [Letters().text(window.tokens[1:]) for window in found] == ["abcde", "cdefg", "efghi", "fghij"]
    assert [window.scored for window in found] == [5, 2, 2, 1]


@given(st.text("xyz", min_size=1, max_size=90), st.integers(2, 20), st.data())
@settings(max_examples=200, deadline=None)
def test_every_token_is_scored_once(text: str, context: int, data: st.DataObject) -> None:
    """Whatever the lengths; no window is longer than the context."""
    stride = data.draw(st.integers(0, context - 1))
    found = cut(text, Protocol(context, stride))
    assert scored(found) == text
    assert max(len(window.tokens) for window in found) <= context
    assert all(window.first >= 1 for window in found)


def test_documents_are_read_by_themselves_and_cut() -> None:
    """Empty lines part them, spaces in such a line do not matter."""
    found = cut("one\n\n two two \n  \n\nthree\n", Protocol(5, documents=True))
    assert [Letters().text(window.tokens[1:]) for window in found] == ["one", "two ", "thre"]


def test_a_limit_counts_whole_windows() -> None:
    """So that a number of tokens means the same for all models."""
    assert [window.scored for window in cut("a" * 40, Protocol(11, limit=15))] == [10, 10]


def test_what_cannot_be_cut_is_refused() -> None:
    """A stride as wide as the context, a context of one, a text of nothing."""
    for protocol in (Protocol(1), Protocol(4, stride=4), Protocol(4, stride=-1)):
        with pytest.raises(UsageError, match="windows cannot be cut so: found context"):
            cut("abc", protocol)
    with pytest.raises(UsageError, match="no token to score: found 0 characters"):
        cut("", Protocol(8))
