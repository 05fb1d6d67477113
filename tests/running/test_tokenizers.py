"""llama2.c's tokenizer against published tokens and against a transcription of its loops; what all tokenizers share.

It tests `fourcc/models/`; `tests/models/` holds the shipped model and its maker, so these tests are here.
"""

import struct
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.errors import FourccError, InputError, UsageError
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.models.tokenizers.llama2c import Llama2cTokenizer, read_llama2c
from fourcc.models.tokenizers.merging import merge
from tests.examples import examples
from tests.running.texts import TEXTS

PUBLISHED = {
    "": "1",
    "I believe the meaning of life is": "1 306 4658 278 6593 310 2834 338",
    "Simply put, the theory of relativity states that ": (
        "1 3439 17632 1925 29892 278 6368 310 14215 537 5922 393 29871"
    ),
    "A brief message congratulating the team on the launch:\n\n        Hi everyone,\n\n        I just ": (
        "1 319 11473 2643 378 629 271 18099 278 3815 373 278 6826 29901 13 13 4706 6324 14332 29892 13 13 4706 306"
        " 925 29871"
    ),
}


def build(pieces: list[tuple[float, bytes]], longest: int = 40) -> bytes:
    """A tokenizer.bin whose pieces of text are these."""
    entries = [(0.0, piece) for piece in (b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % i for i in range(256)))]
    return struct.pack("<I", longest) + b"".join(
        struct.pack("<fI", score, len(piece)) + piece for score, piece in [*entries, *pieces]
    )


def slow_encode(tokenizer: Llama2cTokenizer, text: str) -> list[int]:
    """llama2.c's loops: a scan over all pairs for each merge."""
    pieces, scores, ids = tokenizer.pieces, tokenizer.scores, [1]
    for character in f" {text}" if text else "":
        raw = character.encode()
        ids += [pieces.index(raw)] if raw in pieces else [byte + 3 for byte in raw]
    while True:
        best_score, best_id, best_at = -1e10, -1, -1
        for at, (left, right) in enumerate(pairwise(ids)):
            joined = pieces[left] + pieces[right]
            if joined in pieces and scores[pieces.index(joined)] > best_score:
                best_id, best_at = pieces.index(joined), at
                best_score = scores[best_id]
        if best_at < 0:
            return ids
        ids[best_at : best_at + 2] = [best_id]


@pytest.fixture(scope="module")
def tiny(root: Path) -> Llama2cTokenizer:
    """The shipped model's."""
    return read_llama2c((root / "fourcc/example/tiny_tokenizer.bin").read_bytes(), "tiny")


@pytest.fixture(scope="module")
def large(data: Path) -> Tokenizer:
    """llama2.c's own, of 32000 tokens."""
    path = data / "tokenizer.bin"
    return open_tokenizer({"tokenizer.bin": path.read_bytes()}, path)


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_tokens(large: Tokenizer, text: str) -> None:
    """They are the texts and tokens of llama2.c's own tests."""
    expected = [int(token) for token in PUBLISHED[text].split()]
    assert large.encode(text) == expected
    assert large.encode(text, bos=False) == expected[1:]
    assert large.text(expected) == text
    assert (large.vocab_size, large.bos, large.eos) == (32000, 1, 2)


@given(TEXTS)
def test_text_survives(large: Tokenizer, text: str) -> None:
    """Texts come back, whatever their characters."""
    assert large.text(large.encode(text)) == text


@examples(60)
@given(TEXTS)
def test_equals_the_loops_of_llama2c(tiny: Llama2cTokenizer, text: str) -> None:
    """The tokenizer is the shipped model's."""
    assert tiny.encode(text) == slow_encode(tiny, text)
    assert tiny.text(tiny.encode(text)) == text


@examples(150)
@given(
    st.dictionaries(
        st.text("ab <>", min_size=1, max_size=4) | st.sampled_from(["<0x64>>", "><0x64>", "ab", "a", "b"]),
        st.sampled_from([-3.0, -1.0, 0.0, 2.0, -1e10, -2e10]),
    ),
    st.text("ab <>d", max_size=24),
)
def test_equals_the_loops_whatever_the_vocabulary(pieces: dict[str, float], text: str) -> None:
    """Equal scores, scores too low, characters without a piece, the space included."""
    tokenizer = read_llama2c(build([(score, piece.encode()) for piece, score in pieces.items()]), "drawn")
    assert tokenizer.encode(text) == slow_encode(tokenizer, text)


def test_a_score_too_low() -> None:
    """Pieces at -1e10 and below are never made, but one of a single character is found."""
    pieces = [(0.0, b" "), (-2e10, b"a"), (-1e10, b"aa"), (-9e9, b" a")]
    assert read_llama2c(build(pieces), "low").encode("aaa") == [1, 262, 260, 260]


def test_the_trained_one_of_512(data: Path) -> None:
    """The tokens equal those of the loops, on a page of stories."""
    tokenizer = read_llama2c((data / "tok512.bin").read_bytes(), "tok512")
    page = (data / "tinystories_val_1k.txt").read_text()[:400]
    assert tokenizer.encode(page) == slow_encode(tokenizer, page)
    assert tokenizer.text(tokenizer.encode(page)) == page


@given(st.lists(st.integers(0, 3), max_size=30), st.dictionaries(st.integers(0, 15), st.integers(-2, 2)))
def test_merging_equals_a_scan_for_each_merge(symbols: list[int], costs: dict[int, int]) -> None:
    """The cheapest pair, the leftmost of equals; what it becomes depends on both."""

    def join(left: int, right: int) -> tuple[float, int] | None:
        key = (3 * left + 5 * right) % 16
        return (costs[key], 4 * left + right + 1) if key in costs else None

    slow = list(symbols)
    while found := [(pair[0], at, pair[1]) for at in range(len(slow) - 1) if (pair := join(slow[at], slow[at + 1]))]:
        _, at, joined = min(found)
        slow[at : at + 2] = [joined]
    assert merge(symbols, join) == slow


def test_a_first_space_goes_only_behind_bos(tiny: Llama2cTokenizer) -> None:
    """Later ones stay, and a run without token 1 keeps its own."""
    ids = tiny.encode("One day")
    assert tiny.text(ids) == "One day"
    assert tiny.text(ids[1:]) == " One day"
    assert tiny.text([*ids, *ids]) == "One dayOne day"


def test_characters_come_whole(tiny: Llama2cTokenizer) -> None:
    """A character of several tokens comes with its last; what is none is replaced."""
    stream = tiny.stream()
    emoji = [3 + byte for byte in "😀".encode()]
    assert [stream.push(token) for token in [1, *emoji, 3 + ord("a")]] == ["", "", "", "", "😀", "a"]
    assert stream.push(emoji[0]) == ""
    assert stream.push(3 + ord("b")) == "\ufffdb"
    assert stream.push(emoji[0]) == ""
    assert stream.finish() == "\ufffd"


def test_a_lone_surrogate_is_refused(tiny: Llama2cTokenizer) -> None:
    """A lone surrogate has no UTF-8."""
    with pytest.raises(UsageError, match=r"the text is not Unicode: found U\+D83D at character 2, expected no surr"):
        tiny.encode("ab\ud83d")


@pytest.mark.parametrize("token", [-1, 384])
def test_a_token_beyond_the_vocabulary(tiny: Llama2cTokenizer, token: int) -> None:
    """Negative numbers do not count from the end."""
    with pytest.raises(UsageError, match=f"no such token: found {token}, expected 0 to 383"):
        tiny.text([token])


WHOLE = build([(-1.0, b" "), (-2.0, b"a")])
DAMAGED = {
    "empty": (b"", "byte 0: the file is too short: found 0 bytes, expected 4 or more"),
    "nothing": (
        WHOLE[:4],
        "byte 4: the file ends before the special tokens: found 0 tokens, expected 3 or more",
    ),
    "some bytes": (
        build([])[:-28],
        "the file ends before the tokens of all bytes: found 257 tokens, expected 259 or more",
    ),
    "cut in an entry": (WHOLE[:-8], f"byte {len(WHOLE) - 9}: the file ends within a token: found 1 bytes, exp"),
    "cut in a piece": (WHOLE[:-1], f"byte {len(WHOLE) - 5}: the file ends within a token: found 1 bytes, expected at"),
    "too long": (build([(0.0, b"ab" * 21)]), "a token is too long: found 42 bytes, expected at most 40"),
    "score": (build([(float("nan"), b"a")]), "a token's score is no number: found nan"),
    "byte": (WHOLE.replace(b"<0x41>", b"<0x4!>"), "token 68 is not a byte's: found b'<0x4!>', expected b'<0x41>'"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named(name: str) -> None:
    """The error names file, offset, found and expected value."""
    data, message = DAMAGED[name]
    with pytest.raises(InputError) as caught:
        open_tokenizer({"tokenizer.bin": data}, "model.bin")
    assert str(caught.value).startswith("model.bin (tokenizer.bin), byte ")
    assert message in str(caught.value)


@given(st.data())
def test_any_damage_is_an_error_of_ours(root: Path, data: st.DataObject) -> None:
    """Cut or changed anywhere: refused by name, or a tokenizer that works."""
    raw = bytearray((root / "fourcc/example/tiny_tokenizer.bin").read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        tokenizer = read_llama2c(bytes(raw[: data.draw(st.integers(0, len(raw)))]), "damaged")
    except FourccError as error:
        assert "damaged, byte" in str(error)  # noqa: PT017 - most inputs are refused, some are not
    else:
        assert tokenizer.text(tokenizer.encode("One day, é"))


def test_which_blob_is_taken() -> None:
    """Without one the error says which files would do."""
    with pytest.raises(InputError) as caught:
        open_tokenizer({"notes": b""}, "m.bin")
    assert str(caught.value) == (
        "m.bin: the model has no tokenizer. Give one with -z FILE: llama2.c's tokenizer.bin, a tokenizer.json, or a "
        "SentencePiece .model."
    )


def test_too_long_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer of any kind is refused where it is too long."""
    monkeypatch.setattr("fourcc.sources.tokenizer.MAX_TOKENIZER", 100)
    with pytest.raises(
        InputError, match=r"m \(tokenizer.bin\): too long for a tokenizer: found 101 bytes, expected at m"
    ):
        open_tokenizer({"tokenizer.bin": bytes(101)}, "m")
