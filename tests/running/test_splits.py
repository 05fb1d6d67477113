"""Ways to cut texts that GGUF names, against the pre-tokenizers of Hugging Face's that the names stand for."""

import pytest
from hypothesis import given

from fourcc.models.tokenizers.gguf_bpe import ALPHABET
from fourcc.models.tokenizers.splits import SPLITTINGS, families
from tests.examples import examples
from tests.exporters.made_tokenizers import cuts
from tests.running.test_gguf_tokenizers import same_for_both
from tests.running.texts import TEXTS

# Its last steps cut the letters that stand for bytes, some of which are numbers: tokens are the same, words are not.
OF_LETTERS = ("falcon",)


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(cuts().keys() - set(OF_LETTERS)))
def test_words_are_those_of_the_pre_tokenizer(name: str) -> None:
    """Any text is cut where the package cuts it."""
    theirs = cuts()[name]

    @examples(300)
    @given(TEXTS.filter(same_for_both))
    def check(text: str) -> None:
        words = SPLITTINGS[name].words(text)
        assert "".join(words) == text
        letters = ["".join(ALPHABET[byte] for byte in word.encode()) for word in words]
        assert letters == [piece for piece, _ in theirs.pre_tokenize_str(text)]

    check()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("falcon", "a1234`b", ["a", "123", "4", "`", "b"]),
        ("deepseek-llm", "añ 中文ab\n12", ["a", "ñ", " ", "中文", "ab", "\n", "12"]),  # its marks reach from : to ~
        ("deepseek-coder", "ab 12!?\n", ["ab", " ", "1", "2", "!?", "\n"]),
        ("afmoe", "x12345", ["x", "12", "345"]),
        ("kimi-k2", "漢字かなAb's", ["漢字", "かなAb's"]),
        ("youtu", "한국漢字ab", ["한국", "漢字", "ab"]),
        ("jais-2", "a" + " " * 7 + "b", ["a", " " * 4, " " * 2, " b"]),
        ("viking", "ab 12", ["ab", " ", "1", "2"]),
        ("chameleon", "a  b!!", ["a", "  ", "b", "!", "!"]),
        ("minicpm5", "a12345", ["a", "123", "45"]),
        ("laguna", "a\n\n b", ["a", "\n\n", " b"]),
        ("ufakzeka", "Ali's", ["Ali", "'s"]),
        ("glm4", "a12345", ["a", "123", "45"]),
    ],
)
def test_words_by_hand(name: str, text: str, words: list[str]) -> None:
    """The rules as llama.cpp states them, for names whose tokenizers are not made here."""
    assert SPLITTINGS[name].words(text) == words


def test_no_two_families_are_one() -> None:
    """Ways that cut alike and treat whole words alike stand in one row, so that one name is taken for them."""
    ways = [(splitting.rules, splitting.whole_words, splitting.bos) for _, splitting in families()]
    assert len(set(ways)) == len(ways)
