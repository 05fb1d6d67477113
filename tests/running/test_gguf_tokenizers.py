"""Tokenizers from GGUF vocabularies, against the programs that such vocabularies come from, and against damage.

It tests `fourcc/models/`; `tests/models/` holds the shipped model and its maker, so these tests are here.
"""

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unicodedata import category

import msgpack
import pytest
import sentencepiece
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from fourcc.errors import FourccError, InputError, UsageError
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.models.tokenizers.splits import SPLITTINGS
from fourcc.models.tokenizers.vocabulary import Cutter
from fourcc.sources import open_source
from tests.examples import examples
from tests.running.test_tokenizers import PUBLISHED
from tests.running.texts import TEXTS
from tests.running.training import byte_pairs, scored

QUICK = examples(200)


def opened(**keys: object) -> Tokenizer:
    """The tokenizer of these keys."""
    blob = msgpack.packb({f"tokenizer.ggml.{name}": value for name, value in keys.items()})
    return open_tokenizer({"tokenizer.gguf": blob}, "m.gguf")


def of_sentencepiece(sp: Any) -> dict[str, object]:
    """A SentencePiece model's vocabulary, as a converter to GGUF writes it."""
    count = sp.vocab_size()
    kinds = {sp.is_unknown: 2, sp.is_control: 3, sp.is_unused: 5, sp.is_byte: 6}
    given = [next((kind for asks, kind in kinds.items() if asks(token)), 1) for token in range(count)]
    return {
        "model": "llama",
        "tokens": [sp.id_to_piece(token) for token in range(count)],
        "scores": [sp.get_score(token) for token in range(count)],
        "token_type": [
            4 if sp.id_to_piece(token) in ("<ud>", "<ud>s", "▁▁▁") else given[token] for token in range(count)
        ],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "unknown_token_id": 0,
    }


@pytest.fixture(scope="module")
def sp() -> Any:
    """A SentencePiece model with bytes."""
    return sentencepiece.SentencePieceProcessor(model_proto=scored(user_defined_symbols=["<ud>", "<ud>s", "▁▁▁"]))


@pytest.fixture(scope="module")
def spm(sp: Any) -> Tokenizer:
    """The tokenizer of that vocabulary by our own code."""
    return opened(**of_sentencepiece(sp))


@pytest.fixture(scope="module")
def large(data: Path) -> Tokenizer:
    """Llama 2's vocabulary, from a GGUF file."""
    with open_source(data / "ggml-vocab-llama-spm.gguf") as source:
        return open_tokenizer(source.blobs, source.path)


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_tokens(large: Tokenizer, text: str) -> None:
    """The vocabulary is that of llama2.c's tokenizer."""
    expected = [int(token) for token in PUBLISHED[text].split()]
    assert large.encode(text) == expected
    assert large.encode(text, bos=False) == expected[1:]
    assert large.text(expected) == text
    assert large.text(expected[1:]) == text
    assert (large.vocab_size, large.bos, large.eos) == (32000, 1, 2)


def test_two_files_of_one_vocabulary(data: Path, large: Tokenizer) -> None:
    """tokenizer.bin and GGUF agree on a page of stories, and on the small vocabulary too."""
    page = (data / "tinystories_val_1k.txt").read_text()[:3000]
    assert open_tokenizer({"tokenizer.bin": (data / "tokenizer.bin").read_bytes()}).encode(page) == large.encode(page)
    small = open_tokenizer({"tokenizer.bin": (data / "tok512.bin").read_bytes()})
    with open_source(data / "stories260K.gguf") as source:
        assert open_tokenizer(source.blobs).encode(page) == small.encode(page)


@pytest.mark.thorough
@QUICK
@given(TEXTS | st.text("Oncetim <ud>s.▁", max_size=30))
def test_scored_equals_sentencepiece(sp: Any, spm: Tokenizer, text: str) -> None:
    """Tokens are compared both ways, user-defined ones included."""
    ids = spm.encode(text)
    assert ids == [1, *sp.encode(text)]
    assert spm.text(ids) == sp.decode(ids)
    if "▁" not in text:
        assert spm.text(ids) == text


def test_no_text_becomes_a_control_token(spm: Tokenizer) -> None:
    """Names of control tokens in a text stay text."""
    assert not {0, 1, 2} & set(spm.encode("<s></s><unk>", bos=False))
    assert spm.text(spm.encode("<s></s><unk>")) == "<s></s><unk>"


def test_without_bytes_there_is_the_unknown_token() -> None:
    """The unknown token is written U+FFFD."""
    kinds = {"token_type": [2, 1, 1, 1], "scores": [0.0, -3.0, -2.0, -1.0]}
    tokenizer = opened(model="llama", tokens=["?", "▁", "a", "▁a"], bos_token_id=9, **kinds)
    assert tokenizer.bos is None
    assert tokenizer.encode("aéa a") == [3, 0, 2, 3]
    assert tokenizer.text([3, 0, 2, 3]) == "a\ufffda a"
    plain = opened(model="llama", tokens=["?", "▁", "a", "▁a"], add_space_prefix=False, add_bos_token=False, **kinds)
    assert plain.encode("a a") == [2, 3]
    assert plain.text([3, 3]) == " a a"


def same_for_both(text: str) -> bool:
    """Whether no character is unknown to Python's Unicode, and none is a long s, an s to those who ignore case."""
    return all(category(character) != "Cn" and character != "\u017f" for character in text)


@pytest.mark.parametrize("pre", ["gpt-2", "llama-bpe", "qwen2", "starcoder", "tekken", "dbrx"])
def test_words_are_cut_as_by_the_original_expression(pre: str) -> None:
    """The expressions are in the other program's own words."""
    ending = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    rest = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    start = r"[^\r\n\p{L}\p{N}]?"
    rules = {
        "llama-bpe": ending + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + rest,
        "qwen2": ending + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + rest,
        "tekken": rf"{start}{upper}*{lower}+|{start}{upper}+{lower}*|\p{{N}}"
        + rest.replace(r"[\r\n]*", r"[\r\n/]*", 1),
    }
    of = tokenizers.pre_tokenizers
    if pre in ("gpt-2", "starcoder"):
        # Letters of bytes stand for a byte each, so lengths are compared.
        levels = of.ByteLevel(add_prefix_space=False)
        theirs = of.Sequence([of.Digits(individual_digits=True), levels]) if pre == "starcoder" else levels
    else:
        theirs = of.Split(tokenizers.Regex(rules["llama-bpe" if pre == "dbrx" else pre]), "isolated")

    @QUICK
    @given(TEXTS.filter(same_for_both))
    def check(text: str) -> None:
        words = SPLITTINGS[pre].words(text)
        assert "".join(words) == text
        assert [len(word) for word in words] == [end - start for _, (start, end) in theirs.pre_tokenize_str(text)]

    check()


def test_the_default_rule_cuts_in_four_steps() -> None:
    """It splits at marks, words, numbers, and groups of three digits."""
    words = SPLITTINGS["default"].words("It's 12345 a-b, $x!?\n\n  é٣٤٥")
    assert words == ["It", "'", "s", " ", "123", "45", " a", "-", "b", ",", " ", "$", "x", "!?", "\n\n ", " é", "٣٤٥"]


@pytest.fixture(scope="module")
def hf() -> tokenizers.Tokenizer:
    """A byte-pair tokenizer of Hugging Face's."""
    return byte_pairs()


@pytest.fixture(scope="module")
def bpe(hf: tokenizers.Tokenizer) -> Tokenizer:
    """The tokenizer of that vocabulary by our own code."""
    return opened(**of_byte_pairs(hf))


def of_byte_pairs(hf: tokenizers.Tokenizer) -> dict[str, object]:
    """A byte-pair vocabulary, as a converter to GGUF writes it."""
    model = json.loads(hf.to_str())["model"]
    tokens = [hf.id_to_token(token) for token in range(hf.get_vocab_size())]
    special = {"<s>": 3, "</s>": 3, "<ud>": 4}
    merges: Iterable[list[str]] = model["merges"]
    return {
        "model": "gpt2",
        "pre": "gpt-2",
        "tokens": tokens,
        "token_type": [special.get(text, 1) for text in tokens],
        "merges": [" ".join(pair) for pair in merges],
        "bos_token_id": 0,
        "eos_token_id": 1,
    }


@QUICK
@given(TEXTS.filter(same_for_both) | st.text("Once tim<ud>.'s", max_size=30))
def test_byte_pairs_equal_hugging_faces(hf: tokenizers.Tokenizer, bpe: Tokenizer, text: str) -> None:
    """Tokens are compared both ways, user-defined ones included."""
    hf.encode_special_tokens = True
    ids = bpe.encode(text)
    assert ids == hf.encode(text, add_special_tokens=False).ids
    assert bpe.text(ids) == text


def test_whole_words_come_before_merges(hf: tokenizers.Tokenizer) -> None:
    """A word that is a token needs no merges; one token before a text, as such vocabularies want it."""
    keys = of_byte_pairs(hf) | {"merges": [], "pre": "llama-bpe"}
    tokens = keys["tokens"]
    assert isinstance(tokens, list)
    assert opened(**keys).encode(" the") == [0, tokens.index("Ġthe")]
    letters = [tokens.index(letter) for letter in "Ġthe"]
    assert opened(**keys | {"pre": "dbrx"}).encode(" the") == letters
    assert opened(**keys | {"pre": "dbrx", "add_bos_token": True}).encode(" the") == [0, *letters]


def test_a_merge_into_no_token_gives_bytes(hf: tokenizers.Tokenizer) -> None:
    """The symbol becomes the tokens of its bytes, as in llama.cpp."""
    keys = of_byte_pairs(hf) | {"merges": ["q q"]}
    tokens = keys["tokens"]
    assert isinstance(tokens, list)
    assert opened(**keys).encode("qqq") == [tokens.index("q")] * 3


def test_a_lone_surrogate_is_refused(spm: Tokenizer, bpe: Tokenizer) -> None:
    """A lone surrogate has no UTF-8."""
    for tokenizer in (spm, bpe):
        with pytest.raises(UsageError, match=r"the text is not Unicode: found U\+DC80 at character 1"):
            tokenizer.encode("a\udc80")


def test_bytes_that_are_no_text_are_kept() -> None:
    """A token may be half a character."""
    tokenizer = opened(model="llama", tokens=["?", b"\xc3", b"\xa9"], scores=[0.0, -1.0, -2.0], token_type=[2, 1, 1])
    assert tokenizer.text([1, 2]) == "é"


ONE = {"model": "llama", "tokens": ["?", "a"], "scores": [0.0, -1.0], "token_type": [2, 1]}
PAIRS = {"model": "gpt2", "pre": "gpt-2"}
DAMAGED: dict[str, tuple[dict[str, Any], str]] = {
    "no merges": (
        {"model": "gpt2", "tokens": ["a"]},
        "'tokenizer.ggml.merges' is missing, without which no text can be cut: found no key, expected pairs of texts",
    ),
    "no model": (
        {},
        "'tokenizer.ggml.model' names a kind of tokenizer that is not read: found None, expected one of llama, ",
    ),
    "another": ({"model": "rwkv"}, "is not read: found 'rwkv', expected one of llama, gpt2, gemma4, bert, t5"),
    "type": (ONE | {"model": 3}, "'tokenizer.ggml.model' has a value of another type: found 3, expected str"),
    "none": (ONE | {"tokens": []}, "has an impossible number of tokens: found 0, expected 1 to 4194304"),
    "no text": (ONE | {"tokens": ["?", 1]}, "'tokenizer.ggml.tokens' has no text at place 1: found 1, exp"),
    "scores": (
        ONE | {"scores": [0.0]},
        "'tokenizer.ggml.scores' does not have a number for each token: found 1, expected 2",
    ),
    "nan": (ONE | {"scores": [0.0, float("nan")]}, "has no valid number at place 1: found nan, expected float"),
    "kinds": (ONE | {"token_type": [1, "x"]}, "'tokenizer.ggml.token_type' has no valid number at place 1"),
    "bytes": (
        ONE | {"tokens": ["?", "hello"], "token_type": [2, 6]},
        "'tokenizer.ggml.tokens' has no byte at place 1, though the kind of that token says so: found 'hello'",
    ),
    "half a byte": (
        PAIRS | {"tokens": ["<0x0>"], "token_type": [6]},
        "has no byte at place 0, though the kind of that",
    ),
    "pre": (
        PAIRS | {"pre": "o9"},
        "'tokenizer.ggml.pre' names a way to split texts that is not known: found 'o9', ex",
    ),
    "end": (ONE | {"eot_token_id": "a"}, "'tokenizer.ggml.eot_token_id' has a value of another type: found 'a', exp"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named(name: str) -> None:
    """The error names file, key, found and expected value."""
    keys, message = DAMAGED[name]
    with pytest.raises(InputError) as caught:
        opened(**keys)
    assert str(caught.value).startswith("m.gguf (tokenizer.gguf)")
    assert message in str(caught.value)


def test_merges_that_are_no_pairs(hf: tokenizers.Tokenizer) -> None:
    """A merge is two texts with a space between."""
    with pytest.raises(InputError, match=r"merges' has no pair at place 1: found 'b', expected two texts"):
        opened(**of_byte_pairs(hf) | {"merges": ["a b", "b"]})


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "byte 0: the vocabulary is not valid msgpack"),
        (b"\x81\xa1", "the vocabulary is not valid msgpack"),
        (b"\x93\x01\x02\x03", "byte 0: the vocabulary is not a map: found list, expected dict"),
        (b"\x80\x80", "byte 1: the vocabulary does not end here: found 1 more bytes"),
        (b"\x91" * 5000 + b"\x01", "the vocabulary is not valid msgpack"),
        (b"\xdc\x20\x00" + b"\x90" * 8192, "more maps and arrays than a vocabulary has"),
    ],
)
def test_what_is_no_vocabulary(blob: bytes, message: str) -> None:
    """Bytes that are not even a map are refused."""
    with pytest.raises(InputError) as caught:
        open_tokenizer({"tokenizer.gguf": blob}, "m.gguf")
    assert message in str(caught.value)


@pytest.fixture(scope="module")
def blob(sp: Any) -> bytes:
    """A vocabulary as it is stored."""
    keys = {f"tokenizer.ggml.{name}": value for name, value in of_sentencepiece(sp).items()}
    packed: bytes = msgpack.packb(keys)
    return packed


@QUICK
@given(st.data())
def test_any_damage_is_an_error_of_ours(blob: bytes, data: st.DataObject) -> None:
    """Cut or changed anywhere: refused by name, or a tokenizer that works."""
    raw = bytearray(blob)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, 200) | st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        tokenizer = open_tokenizer({"tokenizer.gguf": bytes(raw)}, "m.gguf")
    except FourccError as error:
        assert "m.gguf" in str(error)  # noqa: PT017 - most inputs are refused, some are not
    else:
        tokenizer.text(tokenizer.encode("One day, é"))


@examples(200)
@given(st.lists(st.text("ab<", min_size=1, max_size=4), max_size=6, unique=True), st.text("ab<c", max_size=14))
def test_user_defined_tokens_are_cut_as_by_an_expression(texts: list[str], text: str) -> None:
    """The token that begins first is cut out, and of several the longest."""
    longest_first = sorted(texts, key=len, reverse=True)
    expected = re.split(f"({'|'.join(map(re.escape, longest_first))})", text) if texts else [text]
    assert Cutter({each: token for token, each in enumerate(texts)}).cut(text) == expected


@pytest.mark.thorough
def test_many_user_defined_tokens_open_quickly() -> None:
    """A hundred thousand of them: no slower than as many normal ones, but for the machine's noise."""
    texts = [f"<tok{number}>" for number in range(100_000)]

    def seconds(kind: int) -> float:
        begin = time.process_time()
        tokenizer = opened(model="llama", tokens=["<unk>", *texts], token_type=[2, *[kind] * len(texts)])
        assert tokenizer.encode("<tok7>", bos=False)
        return time.process_time() - begin

    assert min(seconds(4) for _ in range(2)) < 2 * min(seconds(1) for _ in range(2))


def test_tokens_of_bytes_decode_in_every_kind() -> None:
    """The digits of a byte are capital or small."""
    scored_one = opened(model="llama", tokens=["<unk>", "<0xC3>", "<0xa9>"], token_type=[2, 6, 6], scores=[0.0] * 3)
    assert scored_one.text([1, 2]) == "é"
    pairs = opened(model="gpt2", pre="gpt-2", tokens=["<0xC3>", "<0xa9>"], token_type=[6, 6], merges=[])
    assert pairs.text([0, 1]) == "é"
