"""Every vocabulary that llama.cpp tests itself with: the same tokens, line by line; all of them are read.

They lie in llama.cpp's sources, which the package llama-cpp-python brings along::

    pip download --no-deps --no-binary :all: llama-cpp-python && tar xzf llama_cpp_python-*.tar.gz
    FOURCC_VOCABULARIES=llama_cpp_python-*/vendor/llama.cpp/models pytest tests/lanes/test_llama_cpp_vocabularies.py
"""

import json
import os
from pathlib import Path
from typing import Any

import msgpack
import pytest

import fourcc
from fourcc.exporters.gguf_agreement import encoded
from fourcc.exporters.gguf_tokenizer import tokenizer_keys
from fourcc.models.tokenizers import open_tokenizer
from fourcc.models.tokenizers.gguf import tokenizer_of
from fourcc.models.tokenizers.probes import probe_texts
from fourcc.sources import open_source
from tests.exporters.made_tokenizers import of_bytes

pytestmark = pytest.mark.thorough
VARIABLE = "FOURCC_VOCABULARIES"
BETWEEN = "\n__ggml_vocab_test__\n"
AGREE = [
    "bert-bge",
    "command-r",
    "deepseek-coder",
    "deepseek-llm",
    "falcon",
    "gemma-4",
    "gpt-2",
    "llama-bpe",
    "llama-spm",
    "mpt",
    "phi-3",
    "qwen2",
    "qwen35",
    "refact",
    "starcoder",
]
CHANGED = ["bert-bge"]  # its tokens have no spaces and no capitals: the line does not come back
OPEN = ["aquila", "baichuan", "gpt-neox", "nomic-bert-moe"]  # without lines to compare


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of the vocabularies."""
    found = os.environ.get(VARIABLE)
    if not found:
        pytest.skip(f"{VARIABLE} names no folder: llama-cpp-python's source package brings one")
    return Path(found)


@pytest.mark.parametrize("name", AGREE)
def test_every_line_is_cut_alike(folder: Path, name: str) -> None:
    """The tokens decode to the line again, where the kind of vocabulary keeps it."""
    path = folder / f"ggml-vocab-{name}.gguf"
    lines = path.with_name(f"{path.name}.inp").read_bytes().decode().split(BETWEEN)
    expected = [[int(token) for token in line.split()] for line in Path(f"{path}.out").read_text().splitlines()]
    with open_source(path) as source:
        tokenizer = open_tokenizer(source.blobs, path)
    assert len(expected) > 40
    found = [tokenizer.encode(line, bos=False) for line in lines[: len(expected)]]
    assert found == expected
    if name not in CHANGED:
        assert [tokenizer.text(ids) for ids in found] == lines[: len(expected)]


@pytest.mark.parametrize("name", OPEN)
def test_others_load(folder: Path, name: str) -> None:
    """They load with or without a token for every byte."""
    with open_source(folder / f"ggml-vocab-{name}.gguf") as source:
        tokenizer = open_tokenizer(source.blobs)
    assert tokenizer.text(tokenizer.encode("Once upon a time, né? 日本")) == "Once upon a time, né? 日本"


def test_no_vocabulary_is_left_out(folder: Path) -> None:
    """Each of them is in one of the lists."""
    names = {path.stem.removeprefix("ggml-vocab-") for path in folder.glob("ggml-vocab-*.gguf")}
    assert names == {*AGREE, *OPEN}


def as_json(blob: bytes, name: str) -> dict[str, Any]:
    """A vocabulary of byte pairs as the tokenizer.json that it came from: its tokens, with the rules of its name."""
    values = msgpack.unpackb(blob)
    texts, kinds = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
    tree = of_bytes(name, size=300)
    added = [
        {"id": token, "content": texts[token], "special": kind == 3}
        for token, kind in enumerate(kinds)
        if kind in (3, 4)
    ]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    vocab = {text: token for token, text in enumerate(texts) if kinds[token] == 1}
    merges = [merge.split(" ") for merge in values["tokenizer.ggml.merges"]]
    model = tree["model"] | {"vocab": vocab, "merges": [pair for pair in merges if "".join(pair) in vocab]}
    return tree | {"model": model, "added_tokens": [each | flags for each in added], "post_processor": None}


@pytest.mark.parametrize("name", ["gpt-2", "starcoder", "falcon", "deepseek-coder", "llama-bpe", "qwen2", "qwen35"])
def test_a_tokenizer_json_comes_back(folder: Path, name: str) -> None:
    """From published vocabularies: the name is found, and 5,000 lines are cut alike."""
    with open_source(folder / f"ggml-vocab-{name}.gguf") as source:
        data = json.dumps(as_json(source.blobs["tokenizer.gguf"], name)).encode()
    keys = {key.name: key.value for key in tokenizer_keys({"tokenizer.json": data}, name)[0]}
    assert keys["tokenizer.ggml.pre"] == name
    theirs, ours = open_tokenizer({"tokenizer.json": data}), tokenizer_of(keys, name)
    assert [encoded(ours, text) for text in probe_texts()] == [encoded(theirs, text) for text in probe_texts()]


@pytest.mark.parametrize("name", ["bert-bge", "nomic-bert-moe", "phi-3", "starcoder"])
def test_it_goes_through_a_model_and_back(folder: Path, tmp_path: Path, name: str) -> None:
    """One of each kind: its keys and their types are those that came."""
    path = folder / f"ggml-vocab-{name}.gguf"
    fourcc.convert(path, tmp_path / "m.bin")
    fourcc.export(tmp_path / "m.bin", tmp_path / "back.gguf")
    with open_source(path) as came, open_source(tmp_path / "back.gguf") as back:
        assert came.blobs["tokenizer.gguf"] == back.blobs["tokenizer.gguf"]
