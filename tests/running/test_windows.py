"""Cutting a text into windows: every token is scored once, and what is said of it is what was done."""

import re
from collections.abc import Iterable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.errors import UsageError
from fourcc.models.windows import Cut, Protocol, cut
from tests.examples import examples

TEXT = "one\n\n two two \n  \n\nthree\n\nx\n\nfour and more"


@attrs.frozen
class Letters:
    """A tokenizer with a token a character: its code, and where it has BOS, 0 before a text."""

    bos: int | None = 0
    vocab_size = 0x110000
    eos = None

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Codes."""
        return [0] * (bos and self.bos is not None) + [ord(char) for char in text]

    def text(self, ids: Iterable[int]) -> str:
        """Characters."""
        return "".join(map(chr, ids))


def made(text: str, protocol: Protocol, bos: int | None = 0) -> Cut:
    """A text of letters, cut."""
    return cut(text, Letters(bos), protocol)  # type: ignore[arg-type]


def pieces(found: Cut) -> list[str]:
    """The tokens of each window after BOS."""
    return ["".join(map(chr, window.tokens[found.bos is not None :])) for window in found.windows]


def scored(found: Cut) -> str:
    """The tokens that are scored, as a text."""
    return "".join(chr(token) for window in found.windows for token in window.tokens[window.first :])


def test_disjoint_windows_begin_with_the_start_token() -> None:
    """All of the text is scored, in order."""
    found = made("abcdefgh", Protocol(4))
    assert pieces(found) == ["abc", "def", "gh"]
    assert all(window.tokens[0] == 0 and window.first == 1 for window in found.windows)


def test_sliding_windows_score_only_what_is_new() -> None:
    """Each new token has at least context - stride - 1 tokens before it."""
    found = made("abcdefghij", Protocol(6, stride=2))
    assert pieces(found) == ["abcde", "cdefg", "efghi", "fghij"]
    assert [window.scored for window in found.windows] == [5, 2, 2, 1]


@given(st.text("xyz", min_size=1, max_size=90), st.integers(2, 20), st.data())
@examples(200)
def test_every_token_is_scored_once(text: str, context: int, data: st.DataObject) -> None:
    """This holds for every length; no window is longer than the context."""
    stride = data.draw(st.integers(0, context - 1))
    found = made(text, Protocol(context, stride))
    assert scored(found) == text
    assert max(len(window.tokens) for window in found.windows) <= context
    assert all(window.first >= 1 for window in found.windows)


def test_documents_are_read_by_themselves_and_cut() -> None:
    """Empty lines part them, spaces in such a line do not matter."""
    assert pieces(made("one\n\n two two \n  \n\nthree\n", Protocol(5, documents=True))) == ["one", "two ", "thre"]


@pytest.mark.parametrize("bos", [0, None])
@pytest.mark.parametrize("more", [{}, {"stride": 3}, {"documents": True}])
def test_a_limit_is_at_most(more: dict[str, int], bos: int | None) -> None:
    """The last window is shortened; the tokens that are scored are the first ones that would be without a limit."""
    everything = scored(made(TEXT, Protocol(11, **more), bos))
    for limit in range(1, len(everything) + 3):
        found = made(TEXT, Protocol(11, limit=limit, **more), bos)
        assert scored(found) == everything[:limit]
        assert found.scored == min(limit, len(everything))
        assert (found.tokens is None) == (limit < len(everything))


# -- what is said


@pytest.mark.parametrize("bos", [0, None])
@pytest.mark.parametrize("more", [{}, {"stride": 3}, {"documents": True}])
@pytest.mark.parametrize("context", [4, 8, 9, 60])  # a document of 8 tokens just fits, with BOS or without
@pytest.mark.parametrize("text", [TEXT, "ab"])
def test_each_word_of_the_line_is_true(text: str, context: int, more: dict[str, int], bos: int | None) -> None:
    """Counted again from the tokens themselves, for each kind of windows and tokenizers, with each limit."""
    total = sum(map(len, documents_of(text))) if "documents" in more else len(text)
    for limit in range(24):
        found = made(text, Protocol(context, limit=limit, **more), bos)
        said = str(found)
        head, end = said.split("; ")
        stopped = 0 < limit < made(text, Protocol(context, **more), bos).scored
        assert end == ending(found, None if stopped else total)
        windows, _, beginning = head.rpartition(", without " if bos is None else ", ")
        assert_windows(windows, found, text)
        assert_beginning(beginning, found, "stride" in more)


def documents_of(text: str) -> list[str]:
    """Documents cut by hand: paragraphs without the empty lines between them."""
    return re.split(r"\n(?:[ \t]*\n)+\s*", text.strip())


def ending(found: Cut, total: int | None) -> str:
    """The end of the line; total: tokens of the text, None where the limit stopped it."""
    count = len(scored(found))
    noun = "token" if count == 1 else "tokens"
    if total is None:
        return f"stopped after {count} scored {noun}, the limit"
    return f"all {count} {noun} scored" if count == total else f"{count} of {total} tokens scored"


def assert_windows(said: str, found: Cut, text: str) -> None:
    """Asserts the number, kind and length of windows."""
    lengths = [len(window.tokens) for window in found.windows]
    match = re.match(r"(\d+) ", said)
    assert match
    assert int(match[1]) == len(lengths)
    if found.protocol.documents:
        context, whole = found.protocol.context, documents_of(text)
        assert ("documents" in said) == (len(lengths) > 1)
        full = [piece for piece, length in zip(pieces(found), lengths, strict=True) if length == context]
        over = sum(piece not in whole for piece in full)
        assert said.endswith(f", {over} of them cut at {context} tokens" if over else "parted by empty lines")
    elif len(lengths) == 1:
        assert said == f"1 window of {lengths[0]} tokens"
    else:
        assert f"windows of at most {max(lengths)} tokens" in said
        assert ("disjoint" in said) == (not found.protocol.stride)
        new = max(window.scored for window in found.windows[1:])
        assert said.endswith(f", up to {new} new ones in each after the first") == bool(found.protocol.stride)


def assert_beginning(said: str, found: Cut, overlapping: bool) -> None:
    """Asserts what stands before the first token, and whether that token is scored."""
    several = len(found.windows) > 1
    if found.bos is not None:
        assert {window.tokens[0] for window in found.windows} == {found.bos}
        assert said == ("each after BOS" if several else "after BOS")
    else:
        which = "of the text" if overlapping else "of each" if several else "of it"
        assert said == f"BOS, so the first token {which} is not scored"
        assert overlapping or {window.first for window in found.windows} == {1}


def test_the_line_of_usual_texts() -> None:
    """These are the lines that a user sees."""
    assert str(made("a" * 22, Protocol(11))) == (
        "3 disjoint windows of at most 11 tokens, each after BOS; all 22 tokens scored"
    )
    assert str(made("a" * 22, Protocol(11), bos=None)) == (
        "2 disjoint windows of at most 11 tokens, without BOS, so the first token of each is not scored; "
        "20 of 22 tokens scored"
    )
    assert str(made("ab\n\nabcdefgh", Protocol(5, documents=True))) == (
        "2 documents parted by empty lines, 1 of them cut at 5 tokens, each after BOS; 6 of 10 tokens scored"
    )
    assert str(made("a" * 22, Protocol(11, limit=1))) == (
        "1 window of 2 tokens, after BOS; stopped after 1 scored token, the limit"
    )
    assert repr(made("ab", Protocol(11))) == "<Cut: 1 window of 3 tokens, after BOS; all 2 tokens scored>"


def test_what_cannot_be_cut_is_refused() -> None:
    """A stride as wide as the context, a context of one, documents that overlap, fewer tokens than none, no text."""
    for protocol in (Protocol(1), Protocol(4, stride=4), Protocol(4, stride=-1)):
        with pytest.raises(UsageError, match="windows cannot be cut in this way: found context"):
            made("abc", protocol)
    with pytest.raises(UsageError, match="bad number of tokens to score: found -1, expected 1 or more, or 0 for all"):
        made("abc", Protocol(4, limit=-1))
    with pytest.raises(UsageError, match="documents cannot be read in windows that overlap: found"):
        made("abc", Protocol(4, stride=2, documents=True))
    with pytest.raises(UsageError, match="no token to score: found 0 characters"):
        made("", Protocol(8))
    with pytest.raises(UsageError, match="no token to score: found 1 characters"):
        made("a", Protocol(8), bos=None)
