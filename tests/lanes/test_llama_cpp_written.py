"""Vocabularies that fourcc writes, in llama.cpp: its tool ``llama-tokenize`` gives the same tokens.

The tool lies in the folder that ``FOURCC_LLAMA_CPP`` names. Not among the names are those whose rules llama.cpp's
regular expressions hold only nearly (``gpt-4o``, ``tekken`` and their kin, beside combining marks), nor ``bert``, of
which llama.cpp takes no Hangul apart.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

import fourcc
from fourcc.models.tokenizers import open_tokenizer
from fourcc.models.tokenizers.probes import probe_texts
from fourcc.sources import open_source
from tests.exporters.made_tokenizers import of_bytes, of_characters
from tests.exporters.test_gguf_vocabularies import folder_of

pytestmark = pytest.mark.thorough
VARIABLE = "FOURCC_LLAMA_CPP"
ROWS = 2000


@pytest.fixture(scope="module")
def tool() -> Path:
    """The program."""
    found = Path(os.environ.get(VARIABLE, "")) / "llama-tokenize"
    if not os.environ.get(VARIABLE) or not found.exists():
        pytest.skip(f"{VARIABLE} names no folder with llama-tokenize")
    return found


@pytest.mark.parametrize("name", ["gpt-2", "llama-bpe", "qwen2", "starcoder", "deepseek-v3", "llama"])
def test_llama_cpp_gives_the_same_tokens(tool: Path, tmp_path: Path, name: str) -> None:
    """The tokens of every sixtieth probe; each run of the program reads one text."""
    tree = of_characters() if name == "llama" else of_bytes(name)
    fourcc.export(folder_of(tmp_path, tree, ROWS), tmp_path / "m.gguf")
    with open_source(tmp_path / "m.gguf") as source:
        ours = open_tokenizer(source.blobs)
    for text in probe_texts()[1::60]:
        (tmp_path / "text").write_bytes(text.encode())
        options = ["--ids", "--log-disable", "--no-parse-special", "--no-bos", "--no-escape"]
        run = subprocess.run(
            [tool, "-m", tmp_path / "m.gguf", "-f", tmp_path / "text", *options],
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"\[(.*)\]", run.stdout)
        assert found is not None
        assert [int(token) for token in found[1].split(",") if token.strip()] == ours.encode(text, bos=False), text
