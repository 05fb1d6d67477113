"""`--pre` of `convert` and `export`."""

from pathlib import Path

import pytest

import fourcc
from fourcc.models.tokenizers import open_tokenizer
from fourcc.models.tokenizers.gguf_bpe import ALPHABET
from tests.cli.making import Runner
from tests.sources.writers import gguf_key, gguf_llama, llama, written


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A GGUF model with a vocabulary of byte pairs that does not say how it cuts texts."""
    texts = [*ALPHABET.values(), "12"]
    h, tensors = llama(shared=False, vocab=len(texts))
    keys = [
        gguf_key("tokenizer.ggml.model", 8, "gpt2"),
        gguf_key("tokenizer.ggml.tokens", 9, texts, 8),
        gguf_key("tokenizer.ggml.merges", 9, ["1 2"], 8),
    ]
    return written(tmp_path, "m.gguf", gguf_llama(h, tensors, *keys))


def tokens(path: Path) -> list[int]:
    """The tokens of a number in a model.bin."""
    with fourcc.open(path) as model:
        return open_tokenizer({blob.name: model.blob(blob.name) for blob in model.index.blobs}).encode("12")


def test_a_model_keeps_the_forced_name(run: Runner, pairs: Path, tmp_path: Path) -> None:
    """A number is one token by GPT-2's rules, two by Qwen2's; a GGUF file made of the model has the name."""
    assert run("convert", pairs, "-o", tmp_path / "gpt.bin", "--pre", "gpt-2", "-q").code == 0
    ended = run("convert", pairs, "-o", tmp_path / "qwen.bin", "--pre", "qwen2")
    assert "note: --pre qwen2 takes the place of 'default', by which the file cuts texts" in ended.err
    assert (len(tokens(tmp_path / "gpt.bin")), len(tokens(tmp_path / "qwen.bin"))) == (1, 2)
    assert run("export", tmp_path / "qwen.bin", "-o", tmp_path / "out.gguf", "-q").code == 0
    key = gguf_key("tokenizer.ggml.pre", 8, "qwen2")
    assert key in (tmp_path / "out.gguf").read_bytes()


def test_a_name_that_is_none(run: Runner, pairs: Path, tmp_path: Path) -> None:
    """Nothing is written."""
    ended = run("export", pairs, "-o", tmp_path / "out.gguf", "--pre", "qwen9")
    assert ended.code == 2
    assert "--pre 'qwen9' names no way to cut texts" in ended.err
    assert not (tmp_path / "out.gguf").exists()


def test_no_vocabulary(run: Runner, pairs: Path, tmp_path: Path) -> None:
    """The user may leave it out."""
    ended = run("export", pairs, "-o", tmp_path / "out.gguf", "--pre", "none")
    assert "note: --pre none leaves the vocabulary out (tokenizer.gguf)" in ended.err
    assert b"no_vocab" in (tmp_path / "out.gguf").read_bytes()


def test_a_budget_takes_no_name(run: Runner, pairs: Path, tmp_path: Path) -> None:
    """It makes its own plan of the source."""
    ended = run("convert", pairs, "-o", tmp_path / "m.bin", "--budget", "4bpw", "--pre", "gpt-2")
    assert ended.code == 2
    assert "--pre" in ended.err
