"""Tokenizers of Hugging Face's and SentencePiece's in GGUF files: what is written is read again, to the same tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import gguf
import pytest

import fourcc
from fourcc.errors import UsageError
from fourcc.exporters.gguf_specials import notes_on_specials
from fourcc.exporters.gguf_tokenizer import tokenizer_keys
from fourcc.exporters.tokenizer_json import read_tokenizer_json
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.models.tokenizers.gguf import tokenizer_of
from fourcc.models.tokenizers.probes import PROBES, probe_texts
from fourcc.models.tokenizers.splits import SPLITTINGS
from fourcc.sources import open_source
from tests.exporters.made_tokenizers import cuts, of_bytes, of_characters, of_pieces, of_words
from tests.running.training import scored
from tests.sources.writers import config, hf_name, llama, safetensors, written

QUICK = ("gpt-2", "llama-bpe", "qwen2")
NAMES = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.thorough]) for name in cuts()]
SAME_CUTS = {"bailingmoe": "qwen2"}  # names whose rules, written in another way, cut every text alike


def written_keys(tree: dict[str, Any], **beside: object) -> tuple[dict[str, Any], list[str]]:
    """The keys of a tokenizer.json and of JSON files beside it, and notes."""
    files = {f"{name}.json": value for name, value in {"tokenizer": tree, **beside}.items()}
    keys, notes = tokenizer_keys({name: json.dumps(value).encode() for name, value in files.items()}, "m")
    return {key.name: key.value for key in keys}, notes


def both(tree: dict[str, Any]) -> tuple[Tokenizer, Tokenizer]:
    """A tokenizer.json as the package reads it, and as a GGUF file holds it."""
    theirs = open_tokenizer({"tokenizer.json": json.dumps(tree).encode()}, "m")
    return theirs, tokenizer_of(written_keys(tree)[0], "m")


def folder_of(tmp_path: Path, tree: dict[str, Any], rows: int, **files: bytes | dict[str, object]) -> Path:
    """A model of so many rows with this tokenizer."""
    h, tensors = llama(vocab=rows)
    folder = tmp_path / "model"
    folder.mkdir()
    written(folder, "model.safetensors", safetensors({hf_name(name): array for name, array in tensors.items()}))
    written(folder, "config.json", config(h))
    written(folder, "tokenizer.json", tree)
    for name, data in files.items():
        written(folder, name.replace("__", "."), data)
    return folder


# -- probes


def test_probes_never_change() -> None:
    """No two are alike, and they are the same in every version of Python."""
    texts = probe_texts()
    assert len(set(texts)) == len(texts) == PROBES
    assert sha256("\x00".join(texts).encode()).hexdigest()[:16] == "f7aff34fd7527a0b"


@pytest.mark.thorough
def test_probes_tell_all_ways_to_cut_apart() -> None:
    """Two ways to cut that agree on all probes would not be told apart."""
    ways = {splitting.rules: splitting for splitting in SPLITTINGS.values()}
    seen = {}
    for rules, splitting in ways.items():
        words = tuple(tuple(splitting.words(text)) for text in probe_texts()[:2500])
        assert seen.setdefault(words, rules) == rules


# -- byte pairs


@pytest.mark.parametrize("name", NAMES)
def test_the_pre_tokenizer_is_found(name: str) -> None:
    """The name is the one whose rules the tokenizer has, and each of 5,000 lines has the tokens that it gives."""
    tree = of_bytes(name)
    keys, notes = written_keys(tree)
    assert keys["tokenizer.ggml.model"] == "gpt2"
    assert keys["tokenizer.ggml.pre"] == SAME_CUTS.get(name, name)
    assert notes == []
    theirs, ours = both(tree)
    assert [ours.encode(text) for text in probe_texts()] == [theirs.encode(text) for text in probe_texts()]


def test_a_folder_becomes_a_file_that_is_read_alike(tmp_path: Path) -> None:
    """Tokens, merges, kinds, special tokens, the template; rows without a token are called by their numbers."""
    tree = of_bytes("gpt-2")
    beside = {"tokenizer_config__json": {"eos_token": "<|im_end|>", "pad_token": {"content": "<|endoftext|>"}}}
    folder = folder_of(tmp_path, tree, 1000, **beside, chat_template__jinja=b"{{ x }}")
    fourcc.export(folder, tmp_path / "m.gguf")
    fields = {key: field.contents() for key, field in gguf.GGUFReader(tmp_path / "m.gguf").fields.items()}
    short = {key.removeprefix("tokenizer."): value for key, value in fields.items() if key.startswith("tokenizer.")}
    tokens, kinds = short["ggml.tokens"], short["ggml.token_type"]
    vocab, added = tree["model"]["vocab"], {each["id"]: each for each in tree["added_tokens"]}
    assert [tokens[token] for token in vocab.values()] == list(vocab)
    assert tokens[len(vocab) + 2 :] == [f"[PAD{token}]" for token in range(len(vocab) + 2, 1000)]
    expected = [3 if added[token]["special"] else 4 for token in sorted(added)]
    assert [kinds[token] for token in sorted(added)] == expected == [3, 3, 3, 4, 4]
    assert set(kinds[len(vocab) + 2 :]) == {5}
    assert short["ggml.merges"] == [" ".join(pair) for pair in tree["model"]["merges"]]
    names = {"bos": 0, "eos": 2, "padding": 1}
    assert {name: short[f"ggml.{name}_token_id"] for name in names} == names
    assert (short["ggml.add_bos_token"], short["ggml.add_eos_token"]) == (True, False)
    assert short["chat_template"] == "{{ x }}"
    with open_source(folder) as came, open_source(tmp_path / "m.gguf") as back:
        theirs, ours = open_tokenizer(came.blobs), open_tokenizer(back.blobs)
    for text in (*probe_texts()[::50], "a<think>b [ud]c", "<|im_end|>"):
        assert ours.encode(text) == theirs.encode(text)
        assert ours.text(ours.encode(text)) == theirs.text(theirs.encode(text)) == text
    assert ours.ends >= theirs.ends


@pytest.mark.thorough
def test_unicode_s_normal_form_goes_along() -> None:
    """It has a key of fourcc's own; llama.cpp has none."""
    tree = of_bytes("qwen2", form="NFC")
    keys, notes = written_keys(tree)
    assert keys["tokenizer.fourcc.normal_form"] == "NFC"
    assert [note.partition(":")[0] for note in notes] == ["the tokenizer brings texts into the form NFC first"]
    theirs, ours = both(tree)
    lines = probe_texts()[::5]
    assert [ours.encode(text) for text in lines] == [theirs.encode(text) for text in lines]


def test_no_name_is_refused_with_the_closest() -> None:
    """The error names it, and the first text that it cuts in another way; the user may take it all the same."""
    tree = of_bytes("gpt-2")
    tree["pre_tokenizer"] |= {"add_prefix_space": True}
    with pytest.raises(UsageError) as caught:
        written_keys(tree)
    text = str(caught.value)
    assert text.startswith(
        "m (tokenizer.json): no vocabulary of GGUF cuts texts as the tokenizer does: found closest is"
    )
    assert "the pre-tokenizer '" in text
    assert "texts cut in another way: of '" in text
    assert text.endswith("--pre NAME takes a way to cut all the same; --pre none leaves the vocabulary out.")


def test_what_no_key_says_is_refused() -> None:
    """Marks of pieces, and merges that are left out by chance."""
    tree = of_bytes("gpt-2")
    for key, value in {"end_of_word_suffix": "</w>", "dropout": 0.5}.items():
        with pytest.raises(UsageError, match=f"GGUF has no place for the tokenizer's '{key}': found"):
            written_keys(tree | {"model": tree["model"] | {key: value}})


def test_two_tokens_with_one_text_are_refused() -> None:
    """The package gives both the number of the first."""
    tree = of_bytes("gpt-2")
    tree["added_tokens"].append(tree["added_tokens"][-1] | {"content": "Ġ", "id": 905})
    with pytest.raises(fourcc.FourccError, match="gives the added token 'Ġ' another number than the file: found 223"):
        written_keys(tree)


# -- the other kinds


@pytest.mark.parametrize("prepend", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_characters_with_bytes_become_scores(prepend: bool) -> None:
    """An earlier merge has a higher score; 5,000 lines are cut alike."""
    tree = of_characters(prepend=prepend)
    keys, notes = written_keys(tree)
    assert (keys["tokenizer.ggml.model"], keys["tokenizer.ggml.add_space_prefix"]) == ("llama", prepend)
    assert notes == []
    kinds = keys["tokenizer.ggml.token_type"]
    assert (kinds[:3], kinds[3:259]) == ([2, 3, 3], [6] * 256)
    theirs, ours = both(tree)
    assert [ours.encode(text) for text in probe_texts()] == [theirs.encode(text) for text in probe_texts()]


@pytest.mark.thorough
def test_merges_that_scores_cannot_say() -> None:
    """A pair that is no merge, though its text is a token: Gemma 4's kind keeps merges."""
    tree = of_characters()
    merges, vocab = tree["model"]["merges"], tree["model"]["vocab"]
    tree["normalizer"]["normalizers"].pop(0)
    lines = [set("".join(pair)) == {"\n"} for pair in merges]
    own = [rank % 3 > 0 and "\n" not in "".join(pair) for rank, pair in enumerate(merges)]
    tree["model"]["merges"] = [pair for pair, *kept in zip(merges, lines, own, strict=True) if any(kept)]
    keys, _ = written_keys(tree)
    assert keys["tokenizer.ggml.model"] == "gemma4"
    theirs, ours = both(tree)
    lines = probe_texts()[::3]
    assert [ours.encode(text) for text in lines] == [theirs.encode(text) for text in lines]
    assert len(vocab) == ours.vocab_size


def test_word_pieces() -> None:
    """5,000 lines are cut alike; a piece that goes on loses its mark, one that begins a word gets U+2581."""
    tree = of_words()
    keys, notes = written_keys(tree)
    assert notes == []
    assert keys["tokenizer.ggml.model"] == "bert"
    texts = keys["tokenizer.ggml.tokens"]
    for text, token in tree["model"]["vocab"].items():
        special = text in ("[PAD]", "<unk>", "[CLS]", "[SEP]")
        assert texts[token] == (text if special else text[2:] if text.startswith("##") else "\u2581" + text)
    theirs, ours = both(tree)
    lines = probe_texts()
    assert [ours.encode(text, bos=False) for text in lines] == [theirs.encode(text, bos=False) for text in lines]


@pytest.mark.thorough
def test_likeliest_pieces() -> None:
    """Texts that no rule changes are cut alike; the note says that others may not be."""
    tree = of_pieces()
    keys, notes = written_keys(tree)
    assert keys["tokenizer.ggml.model"] == "t5"
    assert len(notes) == 1
    theirs, ours = both(tree)
    for text in ("the quick  BROWN foX", " 42 naïve", "日本語 don't"):
        assert ours.encode(text, bos=False) == theirs.encode(text, bos=False)


# -- SentencePiece


def of_model(data: bytes, **beside: object) -> tuple[dict[str, Any], list[str]]:
    """The keys of a SentencePiece model and of JSON files beside it, and notes."""
    files = {f"{name}.json": json.dumps(value).encode() for name, value in beside.items()}
    keys, notes = tokenizer_keys({"tokenizer.model": data, **files}, "m")
    return {key.name: key.value for key in keys}, notes


def test_tokens_that_are_added_to_a_sentencepiece_model() -> None:
    """The ones of added_tokens.json come from text, those of the configuration where they are not special."""
    described = {"402": {"content": "<x>", "special": True}, "2": {"content": "</s>", "special": True}}
    config_of = {"added_tokens_decoder": described | {"400": {"content": "\u2581\u2581ab", "special": False}}}
    keys, _ = of_model(scored(), added_tokens={"[one]": 400, "[two]": 404}, tokenizer_config=config_of)
    tokens, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    assert tokens[400:] == [b"  ab", b"[PAD401]", b"<x>", b"[PAD403]", b"[two]"]
    assert kinds[400:] == [4, 5, 3, 5, 4]
    assert kinds[:3] == [2, 3, 3]
    ours = tokenizer_of(keys, "m")
    assert 404 in ours.encode("a[two]b")
    assert 402 not in ours.encode("a<x>b")


@pytest.mark.parametrize(("token", "found"), [("x", "'x'"), ("99999999", "99999999")])
def test_a_number_that_no_token_has(token: str, found: str) -> None:
    """The error names the file."""
    config_of = {"added_tokens_decoder": {token: {"content": "a"}}}
    with pytest.raises(fourcc.FourccError, match=rf"tokenizer_config.json\): an added token has no .*: found {found}"):
        of_model(scored(), tokenizer_config=config_of)


@pytest.mark.thorough
def test_a_model_of_likeliest_pieces_is_one() -> None:
    """SentencePiece's unigram models do not merge: a scored vocabulary would cut other words."""
    data = scored(model_type="unigram", byte_fallback=False, normalization_rule_name="nmt_nfkc")
    keys, notes = of_model(data)
    assert keys["tokenizer.ggml.model"] == "t5"
    assert notes == []
    theirs, ours = open_tokenizer({"tokenizer.model": data}, "m"), tokenizer_of(keys, "m")
    lines = probe_texts()
    assert [ours.encode(text, bos=False) for text in lines] == [theirs.encode(text, bos=False) for text in lines]


def test_rules_that_a_scored_vocabulary_cannot_say() -> None:
    """They are noted by the rule's name."""
    keys, notes = of_model(scored(normalization_rule_name="nfkc", remove_extra_whitespaces=True))
    assert keys["tokenizer.ggml.model"] == "llama"
    assert [note.partition(":")[0] for note in notes] == ["the tokenizer first brings a text into another form (nfkc)"]


# -- by the user's word


def test_a_forced_name_is_taken(tmp_path: Path) -> None:
    """It goes into a GGUF file; `none` leaves the vocabulary out."""
    folder = folder_of(tmp_path, of_bytes("qwen2"), 1000)
    fourcc.export(folder, tmp_path / "m.gguf", pre="gpt-2")
    fourcc.export(folder, tmp_path / "none.gguf", pre="none")
    with open_source(tmp_path / "m.gguf") as source:
        ours = open_tokenizer(source.blobs)
    theirs = open_tokenizer({"tokenizer.json": json.dumps(of_bytes("gpt-2")).encode()})
    assert ours.vocab_size == 1000 > theirs.vocab_size
    assert ours.encode("DON'T", bos=False) != theirs.encode("don't", bos=False)
    with open_source(tmp_path / "none.gguf") as source:
        assert "tokenizer.ggml.tokens" not in str(source.blobs.get("tokenizer.gguf"))


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (lambda: of_bytes("gpt-2"), "qwen9", "--pre 'qwen9' names no way to cut texts, expected none, gpt-2, "),
        (of_words, "gpt-2", "--pre is for a vocabulary of byte pairs: found model 'WordPiece'"),
    ],
)
def test_a_name_that_cannot_be_forced(
    tmp_path: Path, make: Callable[[], dict[str, Any]], name: str, message: str
) -> None:
    """The error says what could be."""
    with pytest.raises(UsageError) as caught:
        fourcc.export(folder_of(tmp_path, make(), 1000), tmp_path / "m.gguf", pre=name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "pattern", [{"String": "Basel"}, {"Regex": r"\bBasel\b|Bern"}], ids=["a text", "an expression"]
)
def test_a_rule_for_one_word(pattern: dict[str, str]) -> None:
    """No fixed probe has the word; the rule's own does."""
    tree = of_bytes("gpt-2")
    tree["normalizer"] = {"type": "Replace", "pattern": pattern, "content": "x"}
    with pytest.raises(UsageError, match="no vocabulary of GGUF cuts texts as the tokenizer does") as caught:
        written_keys(tree)
    assert "Basel" in str(caught.value)


def test_special_tokens_that_heed_what_stands_beside_them_are_noted() -> None:
    """As Phi-3's, which take the line's end behind them along: a chat's tokens would differ without a word."""
    token = {"id": 1, "content": "<|user|>", "rstrip": True, "special": True}
    data = json.dumps({"model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": [token]}).encode()
    (note,) = notes_on_specials(read_tokenizer_json(data, "m"))
    assert note.startswith("the added tokens '<|user|>' heed what stands beside them")
