"""The shipped model's tokenizer in its two forms: llama2.c's file, and a tokenizer.json."""

from pathlib import Path

import pytest

from fourcc.models.tokenizers.llama2c import read_llama2c
from tests.models import hugging_face


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "generation_config.json"])
def test_the_files_are_those_of_the_script(root: Path, name: str) -> None:
    """`python -m tests.models.hugging_face` writes them."""
    assert (root / "fourcc/example/hf" / name).read_text(encoding="utf-8") == hugging_face.files()[name]


def test_both_cut_alike(root: Path) -> None:
    """All held-out stories, and what the model never saw."""
    tokenizers = pytest.importorskip("tokenizers", reason="the extra tokenizers reads a tokenizer.json")
    ours = read_llama2c((root / "fourcc/example/tiny_tokenizer.bin").read_bytes(), "tiny")
    theirs = tokenizers.Tokenizer.from_file(str(root / "fourcc/example/hf/tokenizer.json"))
    stories = (root / "fourcc/example/heldout.txt").read_text().split("\n\n")
    for text in (*stories[:100], "Quiz: 12 Kiwis, Åse!", "a  b\n\nc", "日本"):
        found = theirs.encode(text)
        assert found.ids == list(ours.encode(text))
        assert theirs.decode(found.ids) == text
