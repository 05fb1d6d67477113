"""Every vocabulary that llama.cpp tests itself with: the same tokens, line by line; all of them are read.

They lie in llama.cpp's sources, which the package llama-cpp-python brings along::

    pip download --no-deps --no-binary :all: llama-cpp-python && tar xzf llama_cpp_python-*.tar.gz
    FOURCC_VOCABULARIES=llama_cpp_python-*/vendor/llama.cpp/models pytest tests/lanes/test_llama_cpp_vocabularies.py
"""

import os
from pathlib import Path

import pytest

import fourcc
from fourcc.models.tokenizers import open_tokenizer
from fourcc.sources import open_source

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


@pytest.mark.parametrize("name", ["bert-bge", "nomic-bert-moe", "phi-3", "starcoder"])
def test_it_goes_through_a_model_and_back(folder: Path, tmp_path: Path, name: str) -> None:
    """One of each kind: its keys and their types are those that came."""
    path = folder / f"ggml-vocab-{name}.gguf"
    fourcc.convert(path, tmp_path / "m.bin")
    fourcc.export(tmp_path / "m.bin", tmp_path / "back.gguf")
    with open_source(path) as came, open_source(tmp_path / "back.gguf") as back:
        assert came.blobs["tokenizer.gguf"] == back.blobs["tokenizer.gguf"]
