"""`fourcc.evaluate`, and models opened whatever they are."""

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import UsageError
from fourcc.models.opening import open_any


@pytest.fixture(scope="module")
def models(root: Path) -> Path:
    """The folder of the shipped model."""
    return root / "tests" / "models"


@pytest.fixture(scope="module")
def quantized(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It in four bits."""
    path = tmp_path_factory.mktemp("evaluation") / "q4.bin"
    tokenizer = models / "tiny_tokenizer.bin"
    fourcc.convert(models / "tiny.bin", path, policy=fourcc.Policy.shorthand("Q4_0,F16"), tokenizer=tokenizer)
    return path


@pytest.fixture(scope="module")
def text(models: Path) -> str:
    """Some held-out stories."""
    return "\n\n".join((models / "heldout.txt").read_text().split("\n\n")[:6])


def test_against_a_checkpoint(models: Path, quantized: Path, text: str, tmp_path: Path) -> None:
    """Opened or not, the text itself or its file: the same numbers, with a repr that tells them."""
    common = {"documents": True, "tokenizer": models / "tiny_tokenizer.bin"}
    found = fourcc.evaluate(quantized, text, reference=models / "tiny.bin", **common)  # type: ignore[arg-type]
    assert found.divergence is not None
    assert found.agreement is not None
    assert found.ratio is not None
    assert 0 < found.divergence.mean < 0.02
    assert 0.9 < found.agreement.mean < 1
    assert found.divergence.low <= found.divergence.mean <= found.divergence.high
    assert found.perplexity.mean == pytest.approx(np.exp(found.loss.mean))
    assert repr(found).startswith(f"<Evaluation of {found.tokens} tokens: perplexity 1.1")
    assert f", KL divergence {found.divergence}, top-1 agreement 0.9" in repr(found)
    (tmp_path / "text.txt").write_text(text)
    with fourcc.open(quantized) as model:
        again = fourcc.evaluate(model, tmp_path / "text.txt", reference=models / "tiny.bin", **common)  # type: ignore[arg-type]
    assert repr(again) == repr(found)


def test_alone(quantized: Path, text: str) -> None:
    """There is nothing to compare with."""
    found = fourcc.evaluate(quantized, text, tokens=20, context=64)
    assert (found.divergence, found.agreement, found.ratio, found.noise_floor) == (None, None, None, None)
    assert found.tokens == 63
    assert repr(found).count("KL") == 0
    assert repr(found.scores) == "<Scores of 63 tokens in 1 windows>"


def test_a_text_without_tokens_is_refused(quantized: Path) -> None:
    """As on the command line."""
    with pytest.raises(UsageError, match="the text has no token to score"):
        fourcc.evaluate(quantized, "")


def test_a_temporary_file_is_never_named(models: Path) -> None:
    """A model that came of a checkpoint goes by the checkpoint's name; the file is gone behind it."""
    with ExitStack() as stack:
        model, notes = open_any(models / "tiny.bin", stack)
        assert (model.path, notes) == (models / "tiny.bin", ())
        assert repr(model).startswith(f"<Model {models / 'tiny.bin'}: 38 tensors, ")
        assert os.fstat(model.file.fd).st_nlink == 0


def test_what_a_notebook_shows(models: Path, quantized: Path, tmp_path: Path) -> None:
    """One line each, however large the model."""
    result = fourcc.convert(models / "tiny.bin", tmp_path / "m.bin")
    assert repr(result) == f"<Result {tmp_path / 'm.bin'}: 38 tensors, 351072 weights, 32 bits per weight>"
    with fourcc.open_source(models / "tiny.bin") as source:
        assert repr(source) == f"<Source {models / 'tiny.bin'}: llama2.c v0, 38 tensors>"
        assert repr(source.tensors[2]) == "<SourceTensor layers.0.attention.wq F32 96 x 96>"
    with fourcc.open(quantized) as model:
        talk = model.chat(temperature=0, steps=64)
        assert repr(talk) == "<Conversation by the template llama2, 0 of 64 tokens>"
        answer = talk.answer("Hi")
        assert answer
        assert repr(talk) == "<Conversation by the template llama2, 64 of 64 tokens>"
        assert model.generate("Once upon", steps=20).startswith("Once upon")
        assert "".join(model.stream("Once upon", steps=20, temperature=0)) == model.generate("Once upon", steps=20)
