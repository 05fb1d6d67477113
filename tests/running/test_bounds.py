"""Tests of where texts begin and end: each statement of it, alone and in disagreement with the others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.errors import InputError, SourceError, UsageError
from fourcc.exporters.gguf_tokenizer import tokenizer_keys
from fourcc.models.begin_and_end import beginning, ends_of, start
from fourcc.models.templates import TEMPLATES
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.models.tokenizers.ends import END_NAMES
from fourcc.sources import open_source
from tests.running.test_gguf_tokenizers import opened
from tests.running.training import byte_pairs, scored
from tests.sources.writers import config, llama, llama2c_v0, safetensors, to_hf, written

NO_BOS = b'{"add_bos_token": false}'
LETTERS = ["<unk>", "<s>", "</s>", "▁", "a", "b"]


def gguf(*names: str, **keys: object) -> Tokenizer:
    """Letters, and control tokens of these names from number 6 on."""
    kinds = [2, 3, 3, 1, 1, 1, *[3] * len(names)]
    scores = [-1.0] * len(kinds)
    return opened(model="llama", tokens=[*LETTERS, *names], scores=scores, token_type=kinds, **keys)


def with_special(*names: str, post: bool = False) -> Tokenizer:
    """A tokenizer.json with these special tokens, from number 501 on."""
    hf = byte_pairs()
    hf.add_special_tokens(list(names))
    tree = json.loads(hf.to_str())
    if post:
        hf.post_processor = tokenizers_template()
        tree = json.loads(hf.to_str())
    return open_tokenizer({"tokenizer.json": json.dumps(tree).encode()})


def tokenizers_template() -> Any:
    """BOS before a text."""
    from tokenizers import processors

    return processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])


def test_every_usual_name_ends_a_text() -> None:
    """All that a vocabulary has, of each kind of tokenizer that has names."""
    others = [name for name in END_NAMES if name != "</s>"]
    assert gguf(*others).ends == {2, *range(6, 6 + len(others))}
    assert with_special(*others).ends == {1, *range(501, 501 + len(others))}
    pieces = open_tokenizer({"tokenizer.model": scored(control_symbols=["<|im_end|>", "<other>"])})
    assert pieces.ends == {2, pieces.special("<|im_end|>")}


def test_a_name_that_is_text_ends_nothing() -> None:
    """Normal tokens may spell what they like."""
    kinds = {"token_type": [2, 3, 3, 1, 1, 1, 1], "scores": [-1.0] * 7}
    assert opened(model="llama", tokens=[*LETTERS, "<|im_end|>"], **kinds).ends == {2}


@pytest.mark.parametrize("name", ["eos", "eot", "eom"])
def test_each_of_a_gguf_file_s_ends_counts(name: str) -> None:
    """Beside BOS and EOS, whatever their names are."""
    tokenizer = gguf("<x>", "<y>", **{f"{name}_token_id": 7})
    assert tokenizer.ends == {2, 7}  # 2 by its name
    assert ends_of(tokenizer, {}) == {1, 2, 7}


@pytest.mark.parametrize(
    ("said", "more"), [(7, {7}), ([7, 6], {6, 7}), ([], set()), (-1, set()), (None, set()), ("7", set()), (True, set())]
)
def test_the_model_s_ends_are_united_with_the_tokenizer_s(said: object, more: set[int]) -> None:
    """No statement of an end replaces another."""
    assert ends_of(gguf("<x>", "<y>"), {"eos_token_id": said}) == {1, 2} | more


def test_llama2c_s_rule(root: Path) -> None:
    """BOS alone, unless the model says more; in a talk EOS."""
    tiny = open_tokenizer({"tokenizer.bin": (root / "fourcc/example/tiny_tokenizer.bin").read_bytes()})
    assert ends_of(tiny, {}) == {1}
    assert ends_of(tiny, {"eos_token_id": [2, 9]}) == {1, 2, 9}
    assert TEMPLATES["llama2"].ends(tiny) == {2}


def test_an_answer_s_ends() -> None:
    """They are the template's own, and the tokenizer's."""
    tokenizer = gguf("<|im_start|>", "<|im_end|>", "<|endoftext|>")
    assert TEMPLATES["chatml"].ends(tokenizer) == {2, 7, 8}


def test_what_a_text_without_a_prompt_begins_with() -> None:
    """The tokenizer's BOS, even where it is not put before texts, else the model's, else nothing."""
    hyper = {"bos_token_id": 5}
    assert start(gguf(), hyper) == (1,)
    assert start(gguf(add_bos_token=False), hyper) == (1,)
    plain = with_special()
    assert plain.bos is None
    assert start(plain, hyper) == (5,)
    assert start(with_special(post=True), hyper) == (0,)
    assert ends_of(plain, hyper) == {1, 5}
    with pytest.raises(UsageError, match=r"neither the tokenizer nor the model has a token to begin with\. Give a p"):
        start(plain, {})


@pytest.mark.parametrize("add", [True, False])
def test_prompts_and_talks_begin_alike(add: bool) -> None:
    """Both begin as the tokenizer begins every text; `add_bos_token` counts for both."""
    tokenizer = gguf("<|im_start|>", "<|im_end|>", add_bos_token=add)
    first = (1,) if add else ()
    assert beginning(tokenizer) == first
    assert tuple(tokenizer.encode("a")) == (*first, *tokenizer.encode("a", bos=False))
    assert tuple(TEMPLATES["chatml"].message(tokenizer, "a", first=True))[:2] == (*first, 6, 3)[:2]


def test_a_tokenizer_json_s_own_word_counts() -> None:
    """Its post-processor says whether BOS is put before a text; files beside it do not."""
    blobs = {"tokenizer_config.json": b'{"add_bos_token": true, "bos_token": "<s>"}'}
    plain = {**blobs, "tokenizer.json": byte_pairs().to_str().encode()}
    assert beginning(open_tokenizer(plain)) == ()


@pytest.mark.parametrize(("said", "first"), [(b"{}", (1,)), (b'{"add_bos_token": true}', (1,)), (NO_BOS, ())])
def test_a_sentencepiece_model_s_configuration_counts(said: bytes, first: tuple[int, ...]) -> None:
    """`add_bos_token` beside it, in transformers as here; GGUF's key follows."""
    blobs = {"tokenizer.model": scored(), "tokenizer_config.json": said}
    assert beginning(open_tokenizer(blobs)) == first
    keys = {key.name: key.value for key in tokenizer_keys(blobs, "m")[0]}
    assert keys["tokenizer.ggml.add_bos_token"] is bool(first)
    with pytest.raises(InputError, match=r"m \(tokenizer_config.json\), byte 0: not the JSON that it should be"):
        open_tokenizer({**blobs, "tokenizer_config.json": b"{"}, "m")


def folder(where: Path, generation: object = None, **changes: object) -> Path:
    """A small model of Hugging Face's, with what its two files say."""
    h, tensors = llama()
    written(where, "model.safetensors", safetensors(to_hf(h, tensors)))
    written(where, "config.json", config(h, **changes))
    if generation is not None:
        written(where, "generation_config.json", json.dumps(generation).encode())
    return where


@pytest.mark.parametrize(
    ("own", "generation", "kept"),
    [
        (2, None, 2),
        (2, 2, 2),
        (2, 3, [2, 3]),
        ([3, 2], [2, 4], [3, 2, 4]),
        (None, [4], 4),
        (None, None, None),
        (-1, 5, 5),
    ],
)
def test_both_configs_ends_are_kept(tmp_path: Path, own: object, generation: object, kept: object) -> None:
    """The ends of the config come first, and none comes twice."""
    said = None if generation is None else {"eos_token_id": generation, "temperature": 0.6}
    with open_source(folder(tmp_path, said, eos_token_id=own)) as source:
        assert source.hyper.get("eos_token_id") == kept
        assert (tmp_path / "generation_config.json" in source.companions) == (said is not None)


def test_generation_s_token_to_begin_with_counts(tmp_path: Path) -> None:
    """It wins over the config's, as in transformers."""
    with open_source(folder(tmp_path, {"bos_token_id": 4}, bos_token_id=3)) as source:
        assert source.hyper["bos_token_id"] == 4
    (tmp_path / "generation_config.json").unlink()
    with open_source(tmp_path) as source:
        assert source.hyper["bos_token_id"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "generation_config.json, byte 0: not the JSON that it should be: "),
        (
            b'{"eos_token_id": "x"}',
            "generation_config.json: the key 'eos_token_id' cannot be read: found 'x', expected ",
        ),
        (
            b'{"bos_token_id": [1, 2.5]}',
            "generation_config.json: the key 'bos_token_id' cannot be read: found [1, 2.5]",
        ),
        (b'{"eos_token_id": true}', "the key 'eos_token_id' cannot be read: found True, expected the number of a tok"),
        (b" " * (1 << 20) + b"{}", "too long for a config: found 1048578 bytes, expected at most 1048576"),
    ],
)
def test_a_damaged_generation_config(tmp_path: Path, text: bytes, message: str) -> None:
    """The error names it; a lost end would make a text longer."""
    folder(tmp_path)
    (tmp_path / "generation_config.json").write_bytes(text)
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path)
    assert message in str(caught.value)


def ending_with(where: Path, token: int, generation: object, **changes: object) -> Path:
    """A model that makes this token over and over."""
    h, tensors = llama(dim=32, hidden=48, heads=4, kv_heads=2, vocab=512, seq=64, shared=False)
    tensors["output"] = np.zeros_like(tensors["output"])
    tensors["norm"] = np.ones_like(tensors["norm"])
    embedding = tensors["tok_embeddings"]
    tensors = {name: array * (0 if ".w" in name else 1) for name, array in tensors.items()}
    tensors["tok_embeddings"] = np.abs(embedding) + 1
    tensors["output"][token] = 1
    written(where, "model.safetensors", safetensors(to_hf(h, tensors)))
    written(where, "config.json", config(h, tied=False, **changes))
    written(where, "generation_config.json", json.dumps(generation).encode())
    written(where, "tokenizer.json", byte_pairs().to_str().encode())
    fourcc.convert(where, where / "model.bin", force=True)
    return where / "model.bin"


@pytest.mark.parametrize(
    ("own", "generation", "ended"),
    [(None, None, "length"), (300, None, "stop"), ([2, 300], None, "stop"), (2, [300, 301], "stop"), (2, 3, "length")],
)
def test_a_text_ends_where_any_of_the_files_says_so(
    tmp_path: Path, own: object, generation: object, ended: str
) -> None:
    """A token of no usual name."""
    path = ending_with(tmp_path, 300, {"eos_token_id": generation}, eos_token_id=own)
    with fourcc.open(path) as model:
        from fourcc.models.generate import Speed

        speed = Speed()
        list(model.pieces("Once", steps=12, temperature=0, threads=1, speed=speed))
        assert speed.ended == ended
        talk = model.chat(template="mistral", temperature=0, threads=1, steps=40) if ended == "stop" else None
        if talk is not None:
            assert talk.answer("a") == ""


def test_run_without_a_prompt_begins_with_the_model_s_token(tmp_path: Path) -> None:
    """The model's BOS counts where its tokenizer has none."""
    path = ending_with(tmp_path, 300, {}, bos_token_id=7)
    with fourcc.open(path) as model:
        first = next(iter(model.pieces(steps=3, temperature=0, threads=1)))
    assert (first.prompt, first.tokens) == (True, (7,))


def test_a_llama2c_checkpoint_says_nothing_of_ends(tmp_path: Path) -> None:
    """It states no ends, so llama2.c's rule holds."""
    h, tensors = llama()
    with open_source(written(tmp_path, "v0.bin", llama2c_v0(h, tensors))) as source:
        assert "eos_token_id" not in source.hyper
