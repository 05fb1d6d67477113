"""Vocabularies without a token for every byte or character: they load, and only a text that meets one is an error.

Against the programs that such vocabularies come from, wherever those give a text back; what they leave out without a
word is refused here.
"""

import json
import struct
from typing import Any

import msgpack
import pytest
import sentencepiece
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from fourcc.errors import UsageError
from fourcc.exporters.gguf_tokenizer import tokenizer_keys
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.models.tokenizers.llama2c import read_llama2c
from tests.examples import examples
from tests.running.test_gguf_tokenizers import of_sentencepiece, opened
from tests.running.texts import TEXTS
from tests.running.training import scored, stories

QUICK = examples(150)
SPACE = "▁"


def neox() -> tokenizers.Tokenizer:
    """Byte pairs as GPT-NeoX has them: an alphabet of those bytes only that the training texts had."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.train_from_iterator([*stories(), "é 日本"], trainer)
    return tokenizer


@pytest.fixture(scope="module")
def hf() -> tokenizers.Tokenizer:
    """The package's."""
    return neox()


def keys_of(hf: tokenizers.Tokenizer) -> dict[str, Any]:
    """A vocabulary as a converter to GGUF writes it: the unknown token is the end of a text."""
    model = json.loads(hf.to_str())["model"]
    tokens = [hf.id_to_token(token) for token in range(hf.get_vocab_size())]
    return {
        "model": "gpt2",
        "pre": "gpt-2",
        "tokens": tokens,
        "token_type": [3, *[1] * (len(tokens) - 1)],
        "merges": [" ".join(pair) for pair in model["merges"]],
        **dict.fromkeys(("bos_token_id", "eos_token_id", "unknown_token_id"), 0),
    }


@pytest.fixture(scope="module", params=["GGUF", "JSON"])
def ours(request: pytest.FixtureRequest, hf: tokenizers.Tokenizer) -> Tokenizer:
    """Our tokenizers, from both files."""
    if request.param == "GGUF":
        return opened(**keys_of(hf))
    return open_tokenizer({"tokenizer.json": hf.to_str().encode()}, "m")


LATIN = "Once upon a time, there was é 日本."


@QUICK
@given(st.text(LATIN, max_size=20) | TEXTS)
def test_byte_pairs_equal_hugging_faces_where_those_lose_nothing(
    hf: tokenizers.Tokenizer, ours: Tokenizer, text: str
) -> None:
    """Ours refuses a text exactly where the package's tokens do not give it back."""
    ids = hf.encode(text, add_special_tokens=False).ids
    if hf.decode(ids, skip_special_tokens=False) == text:
        assert ours.encode(text, bos=False) == ids
        assert ours.text(ids) == text
        return
    with pytest.raises(UsageError, match="the vocabulary has no token for a part of the text: found byte 0x"):
        ours.encode(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a 🙂", "byte 0xF0 of U+1F642, at character 2 of the text"),
        ("Oncé\x07", "byte 0x07 of U+0007, at character 4 of the text"),
        ("日本 ü", "byte 0xBC of U+00FC, at character 3 of the text"),  # its first byte is é's, too
    ],
)
def test_the_byte_and_its_place_are_named(ours: Tokenizer, text: str, found: str) -> None:
    """The error says what can be done, too."""
    with pytest.raises(UsageError) as caught:
        ours.encode(text)
    assert (
        str(caught.value)
        == f"the vocabulary has no token for a part of the text: found {found}. Leave it out of the text."
    )


def test_a_token_of_kind_unknown_stands_for_missing_bytes(hf: tokenizers.Tokenizer) -> None:
    """One for each byte, as the package does it where its model has such a token."""
    tree = json.loads(hf.to_str())
    tree["model"] |= {"unk_token": "<|endoftext|>"}
    unknown = tokenizers.Tokenizer.from_str(json.dumps(tree))
    ids = unknown.encode("a 🙂 b").ids
    assert ids.count(0) == 4
    keys = keys_of(hf)
    assert opened(**keys | {"token_type": [2, *keys["token_type"][1:]]}).encode("a 🙂 b") == ids
    assert open_tokenizer({"tokenizer.json": json.dumps(tree).encode()}).encode("a 🙂 b") == ids


def test_a_byte_inside_of_a_token_needs_none_of_its_own(hf: tokenizers.Tokenizer) -> None:
    """A token of several bytes is reached by merges."""
    keys = keys_of(hf)
    keys = {**keys, "tokens": [*keys["tokens"], "qZ"], "token_type": [*keys["token_type"], 1]}
    tokenizer = opened(**keys | {"merges": ["q Z"]})
    assert tokenizer.text(tokenizer.encode("qZ")) == "qZ"
    with pytest.raises(UsageError, match=r"byte 0x5A of U\+005A, at character 2"):
        tokenizer.encode("qZZ")


def test_characters_of_a_tokenizer_json_without_bytes() -> None:
    """Cut at white space, which is left out on purpose; other characters are not."""
    hf = tokenizers.Tokenizer(models.BPE())
    hf.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    hf.train_from_iterator(["the cat sat"], trainers.BpeTrainer(vocab_size=40, show_progress=False))
    tokenizer = open_tokenizer({"tokenizer.json": hf.to_str().encode()}, "m")
    assert tokenizer.encode("the  cat") == hf.encode("the  cat").ids
    with pytest.raises(UsageError, match=r"byte 0xC3 of U\+00E9, at character 5 of the text"):
        tokenizer.encode("the xé".replace("x", "c"))


def llama2c_file(sp: Any) -> bytes:
    """A tokenizer.bin as llama2.c's tokenizer.py writes it."""
    marks = {sp.bos_id(): "\n<s>\n", sp.eos_id(): "\n</s>\n"}
    pieces = [marks.get(token, sp.id_to_piece(token)).replace(SPACE, " ").encode() for token in range(sp.vocab_size())]
    entries = [struct.pack("<fI", sp.get_score(token), len(piece)) + piece for token, piece in enumerate(pieces)]
    return struct.pack("<I", max(map(len, pieces))) + b"".join(entries)


@pytest.fixture(scope="module", params=["bpe", "char"])
def sp(request: pytest.FixtureRequest) -> Any:
    """SentencePiece models without tokens of bytes."""
    data = scored(byte_fallback=False, model_type=request.param, vocab_size=60 if request.param == "char" else 400)
    return sentencepiece.SentencePieceProcessor(model_proto=data)


def test_sentencepieces_unknown_token(sp: Any) -> None:
    """Once for a run of characters, from GGUF and from tokenizer.bin, as SentencePiece itself gives it."""
    gguf, bin_file = opened(**of_sentencepiece(sp)), read_llama2c(llama2c_file(sp), "t")

    @QUICK
    @given(TEXTS | st.text("Once time é日本", max_size=12))
    def check(text: str) -> None:
        ids = sp.encode(text)
        assert gguf.encode(text, bos=False) == ids
        if SPACE not in text:  # a space to SentencePiece; a tokenizer.bin has another one for it
            assert bin_file.encode(text, bos=False) == ids
        assert gguf.text(ids).count("\ufffd") >= ids.count(0)

    check()


def test_a_tokenizer_bin_of_characters_decodes(sp: Any) -> None:
    """The unknown token as its piece; a text of known characters comes back."""
    tokenizer = read_llama2c(llama2c_file(sp), "t")
    assert not tokenizer.has_bytes
    assert tokenizer.text(tokenizer.encode("Once upon")) == "Once upon"
    assert tokenizer.text([1, 0]) == "<unk>"


def of_pieces(*pieces: str) -> bytes:
    """A tokenizer.bin."""
    texts = [piece.encode() for piece in pieces]
    return struct.pack("<I", 9) + b"".join(struct.pack("<fI", -1.0, len(text)) + text for text in texts)


@pytest.mark.parametrize(
    "tokenizer",
    [
        read_llama2c(of_pieces("z", "<s>", "</s>", " ", "a", "b"), "t"),
        opened(
            model="llama",
            tokens=["z", "<s>", "</s>", SPACE, "a", "b"],
            scores=[-1.0] * 6,
            token_type=[1, 3, 3, 1, 1, 1],
            unknown_token_id=-1,
        ),
    ],
    ids=["tokenizer.bin", "GGUF"],
)
def test_without_an_unknown_token_the_text_is_refused(tokenizer: Tokenizer) -> None:
    """The error names the place."""
    assert tokenizer.encode("ab b") == [1, 3, 4, 5, 3, 5]
    with pytest.raises(UsageError) as caught:
        tokenizer.encode("ab é")
    assert str(caught.value) == (
        "the vocabulary has no token for a part of the text: found byte 0xC3 of U+00E9, at character 3 of the text."
        " Leave it out of the text."
    )


def test_some_bytes_only() -> None:
    """A character is made of bytes where all of its have a token, else it is unknown, as Hugging Face has it."""
    keys = {"model": "llama", "scores": [0.0] * 4, "token_type": [2, 6, 6, 1], "add_space_prefix": False}
    tokens = ["<unk>", "<0xC3>", "<0xa9>", "a"]
    tokenizer = opened(**keys, tokens=tokens, add_bos_token=False)
    assert tokenizer.encode("aéaü") == [3, 1, 2, 3, 0]
    assert tokenizer.text([1, 2]) == "é"


def test_what_is_unknown_joins_nothing() -> None:
    """The neighbour of a part without a token stays as it is."""
    tokenizer = read_llama2c(of_pieces("<unk>", "<s>", "</s>", " ", "a", "ab", "b"), "t")
    assert tokenizer.encode("aé éa ab") == [1, 3, 4, 0, 3, 0, 4, 3, 5]


def test_a_tokenizer_bin_without_bytes_goes_to_gguf(sp: Any) -> None:
    """Its pieces become text, and give the same tokens there."""
    data = llama2c_file(sp)
    keys = {key.name: key.value for key in tokenizer_keys({"tokenizer.bin": data}, "m")[0]}
    assert 6 not in keys["tokenizer.ggml.token_type"]
    there = open_tokenizer({"tokenizer.gguf": msgpack.packb(keys)})
    text = "Once upon a time é 日本."
    assert there.encode(text) == read_llama2c(data, "t").encode(text)
