"""Vocabularies in GGUF that take pieces without merging, and SentencePiece's own table of characters."""

import struct
from functools import cache
from typing import Any

import pytest
import sentencepiece
from hypothesis import given

from fourcc.errors import InputError, UsageError
from fourcc.models.tokenizers.charsmap import Charsmap
from fourcc.models.tokenizers.gguf import tokenizer_of
from fourcc.models.tokenizers.gguf_unigram import UnigramTokenizer
from fourcc.models.tokenizers.sentencepiece_rules import rules_of
from fourcc.models.tokenizers.vocabulary import Vocabulary
from tests.examples import examples
from tests.running.test_gguf_tokenizers import opened
from tests.running.texts import TEXTS
from tests.running.training import scored

WORDS = {
    "model": "bert",
    "tokens": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁cafe", "▁the", "s", "▁!", "▁日", "▁本"],
    "token_type": [3, 3, 3, 3, 1, 1, 1, 1, 1, 1],
    "unknown_token_id": 1,
    "cls_token_id": 2,
}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", [2]),
        ("The  CAFÉS!", [2, 5, 4, 6, 7]),
        ("the\tcafé\u0000s日本x", [2, 5, 4, 6, 8, 9, 1]),
        ("sthe thes", [2, 1, 5, 6]),
    ],
)
def test_words_in_pieces(text: str, tokens: list[int]) -> None:
    """Capitals and accents go, marks and ideographs are words, and a word that lacks a piece is unknown as a whole."""
    assert opened(**WORDS).encode(text) == tokens


def test_pieces_back_to_words() -> None:
    """A piece that begins a word brings its space along, but at the start of a text."""
    assert opened(**WORDS).text([2, 5, 4, 6, 7]) == "the cafes !"


def test_capitals_that_stay() -> None:
    """The keys say so."""
    keys = WORDS | {"normalizer.lowercase": False}
    assert opened(**keys).encode("the THE café", bos=False) == [5, 1, 1]
    assert opened(**keys, **{"normalizer.strip_accents": True}).encode("the THE café", bos=False) == [5, 1, 4]


@cache
def nmt() -> tuple[Any, bytes]:
    """A SentencePiece model with rules for characters, and its table."""
    data = scored(model_type="unigram", byte_fallback=False, normalization_rule_name="nmt_nfkc")
    return sentencepiece.SentencePieceProcessor(model_proto=data), rules_of(data).charsmap


@pytest.mark.thorough
def test_the_table_of_characters_is_sentencepiece_s() -> None:
    """Any text becomes what SentencePiece makes of it."""
    processor, table = nmt()
    ours = UnigramTokenizer(Vocabulary(("a",), (0.0,), (1,)), add_space=True, charsmap=Charsmap.parsed(table, "m"))

    @examples(300)
    @given(TEXTS)
    def check(text: str) -> None:
        assert ours._normalized(text) == processor.normalize(text)

    check()


def test_the_likeliest_pieces() -> None:
    """The greatest sum wins, a user-defined token counts nothing, and a run of unknown characters is one token."""
    keys = {
        "model": "t5",
        "tokens": ["<unk>", "a", "b", "ab", "aba", "<x>"],
        "scores": [0.0, -1.0, -1.0, -1.5, -4.0, -9.0],
        "token_type": [2, 1, 1, 1, 1, 4],
        "unknown_token_id": 0,
    }
    assert opened(**keys).encode("aba<x>zzab") == [3, 1, 5, 0, 3]
    without = keys | {"token_type": [5, 1, 1, 1, 1, 4], "unknown_token_id": 99}
    with pytest.raises(UsageError, match="no token for a part of the text: found byte 0x7A of U"):
        opened(**without).encode("az")


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ([1, 2], "2 bytes, of them 0 in the array"),
        ([*struct.pack("<I", 8), *range(4), 0], "9 bytes, of them 8 in the array"),
        ([*struct.pack("<I", 4), *range(4), 1], "9 bytes, of them 4 in the array"),
    ],
)
def test_a_damaged_table(table: list[int], found: str) -> None:
    """The error names the key."""
    keys = {"model": "t5", "tokens": ["a"], "precompiled_charsmap": table}
    with pytest.raises(InputError, match=f"'tokenizer.ggml.precompiled_charsmap' is damaged: found {found}"):
        opened(**keys)


def test_numbers_that_are_no_bytes() -> None:
    """The error names the place."""
    keys = {"model": "t5", "tokens": ["a"], "precompiled_charsmap": [1, 256]}
    with pytest.raises(InputError, match="_charsmap' has no byte at place 1: found 256, expected -128 to 255"):
        opened(**keys)


def test_a_normal_form_that_is_none() -> None:
    """fourcc's own key has the names of Unicode's forms."""
    values = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"], "tokenizer.fourcc.normal_form": "NFX"}
    with pytest.raises(
        InputError, match="normal_form' has a value that is not known: found 'NFX', expected one of NFC"
    ):
        tokenizer_of(values, "m")
