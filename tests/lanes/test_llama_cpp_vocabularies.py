"""Every vocabulary that llama.cpp tests itself with: the same tokens, line by line, or a refusal that says why.

They lie in llama.cpp's sources, which the package llama-cpp-python brings along::

    pip download --no-deps --no-binary :all: llama-cpp-python && tar xzf llama_cpp_python-*.tar.gz
    FOURCC_VOCABULARIES=llama_cpp_python-*/vendor/llama.cpp/models pytest tests/lanes/test_llama_cpp_vocabularies.py
"""

import os
from pathlib import Path

import pytest

from fourcc.errors import InputError
from fourcc.models.tokenizers import open_tokenizer
from fourcc.sources import open_source

pytestmark = pytest.mark.thorough
VARIABLE = "FOURCC_VOCABULARIES"
BETWEEN = "\n__ggml_vocab_test__\n"
AGREE = ["command-r", "gpt-2", "llama-bpe", "llama-spm", "mpt", "phi-3", "qwen2", "refact", "starcoder"]
OPEN = ["aquila", "baichuan", "gpt-neox"]  # without lines to compare
REFUSED = ["bert-bge", "deepseek-coder", "deepseek-llm", "falcon"]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of the vocabularies."""
    found = os.environ.get(VARIABLE)
    if not found:
        pytest.skip(f"{VARIABLE} names no folder: llama-cpp-python's source package brings one")
    return Path(found)


@pytest.mark.parametrize("name", AGREE)
def test_every_line_is_cut_alike(folder: Path, name: str) -> None:
    """The tokens decode to the line again."""
    path = folder / f"ggml-vocab-{name}.gguf"
    lines = path.with_name(f"{path.name}.inp").read_bytes().decode().split(BETWEEN)
    expected = [[int(token) for token in line.split()] for line in Path(f"{path}.out").read_text().splitlines()]
    with open_source(path) as source:
        tokenizer = open_tokenizer(source.blobs, path)
    assert len(expected) > 40
    found = [tokenizer.encode(line, bos=False) for line in lines[: len(expected)]]
    assert found == expected
    assert [tokenizer.text(ids) for ids in found] == lines[: len(expected)]


@pytest.mark.parametrize("name", OPEN)
def test_others_load(folder: Path, name: str) -> None:
    """They load with or without a token for every byte."""
    with open_source(folder / f"ggml-vocab-{name}.gguf") as source:
        tokenizer = open_tokenizer(source.blobs)
    assert tokenizer.text(tokenizer.encode("Once upon a time, né? 日本")) == "Once upon a time, né? 日本"


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_its_name(folder: Path, name: str) -> None:
    """It is a kind of tokenizer, or a way to split texts."""
    path = folder / f"ggml-vocab-{name}.gguf"
    with open_source(path) as source, pytest.raises(InputError, match=r"not (read|known)"):
        open_tokenizer(source.blobs)
