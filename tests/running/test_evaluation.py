"""`fourcc.evaluate`, and models opened whatever they are."""

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from tokenizers import processors

import fourcc
from fourcc.errors import InputError, UsageError
from fourcc.models.evaluation import measure
from fourcc.models.opening import open_to_run
from fourcc.models.scored_models import EvaluatedModel
from fourcc.models.windows import Protocol
from tests.running.training import byte_pairs
from tests.running.variants import broken, padded, permuted, with_json


@pytest.fixture(scope="module")
def models(root: Path) -> Path:
    """The folder of the shipped model."""
    return root / "fourcc" / "example"


@pytest.fixture(scope="module")
def quantized(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in four bits."""
    path = tmp_path_factory.mktemp("evaluation") / "q4.bin"
    tokenizer = models / "tiny_tokenizer.bin"
    fourcc.convert(models / "tiny.bin", path, policy=fourcc.Policy.shorthand("Q4_0,F16"), tokenizer=tokenizer)
    return path


@pytest.fixture(scope="module")
def text(models: Path) -> str:
    """Some held-out stories."""
    return "\n\n".join((models / "heldout.txt").read_text().split("\n\n")[:16])


def test_against_a_checkpoint(models: Path, quantized: Path, text: str, tmp_path: Path) -> None:
    """Opened or not, the text itself or its file: the same numbers, with a repr that tells them."""
    common = {"documents": True, "tokenizer": models / "tiny_tokenizer.bin"}
    found = fourcc.evaluate(quantized, text, reference=models / "tiny.bin", **common)  # type: ignore[arg-type]
    assert found.divergence is not None
    assert found.agreement is not None
    assert found.ratio is not None
    assert 0 < found.divergence.mean < 0.02
    assert 0.9 < found.agreement.mean < 1
    assert found.divergence.low is not None
    assert found.divergence.high is not None
    assert found.divergence.low < found.divergence.mean < found.divergence.high
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
    assert found.tokens == 20
    assert found.protocol == Protocol(64, limit=20)
    assert str(found.text) == "1 window of 21 tokens, after BOS; stopped after 20 scored tokens, the limit"
    assert repr(found).count("KL") == 0
    assert repr(found.scores) == "<Scores of 20 tokens in 1 windows>"
    assert (found.loss.low, found.perplexity.high) == (None, None)


@pytest.mark.parametrize("documents", [False, True])
def test_tokens_are_at_most(quantized: Path, text: str, documents: bool) -> None:
    """A limit of one scores one token; a negative limit is refused."""
    for limit in (1, 2, 300):
        assert fourcc.evaluate(quantized, text, tokens=limit, documents=documents).tokens == limit
    with pytest.raises(UsageError, match="bad number of tokens to score: found -1, expected 1 or more, or 0 for all"):
        fourcc.evaluate(quantized, text, tokens=-1, documents=documents)


def test_a_context_that_a_model_has_not_is_refused(quantized: Path, text: str) -> None:
    """The error has the model's own context and its name."""
    with pytest.raises(
        UsageError, match=r"q4.bin: a window cannot be so long: found 100000, expected at most 256, the m"
    ):
        fourcc.evaluate(quantized, text, context=100_000)


# -- other vocabularies


def test_each_model_reads_its_own_tokens(models: Path, text: str, tmp_path: Path) -> None:
    """Two models that say the same with tokens in another order are equally good, in either order."""
    with ExitStack() as stack:
        tokenizer = models / "tiny_tokenizer.bin"
        opened = [
            open_to_run(models / "tiny.bin", stack, tokenizer=tokenizer)[0],
            open_to_run(permuted(models, tmp_path), stack)[0],
        ]
        for order in (opened, opened[::-1]):
            found = measure([EvaluatedModel(model) for model in order], text, Protocol(256, documents=True))
            assert found[0].loss.mean == pytest.approx(found[1].loss.mean, rel=1e-6)
            assert found[0].loss.mean < 0.3
            assert found[0].text.windows != found[1].text.windows


@pytest.mark.parametrize("told", ["has them", "has none of them"])
def test_models_of_other_tokens_cannot_be_compared(models: Path, text: str, tmp_path: Path, told: str) -> None:
    """Whether the text has tokens that differ, or only the vocabularies have; both files are named."""
    other, plain = permuted(models, tmp_path), tmp_path / "plain.bin"
    fourcc.convert(models / "tiny.bin", plain, tokenizer=models / "tiny_tokenizer.bin")
    if told == "has none of them":
        text, wanted = "a b c d e f", r"the text of token 300: found '(\S+)', expected '(?!\1')\S+'"
    else:
        wanted = (
            r"token \d+ of the windows: found 30\d, expected 30\d\. Probabilities of different tokens cannot be comp"
        )
    both = rf"permuted.bin: the model and the reference \S+plain.bin have different tokens: {wanted}"
    with pytest.raises(UsageError, match=both):
        fourcc.evaluate(other, text, reference=plain)


def test_rows_that_are_no_tokens_are_left_out(models: Path, text: str, tmp_path: Path) -> None:
    """A padded vocabulary changes nothing: no distance to the plain model, in either direction, and the same loss."""
    more, common = padded(models, tmp_path), {"tokenizer": models / "tiny_tokenizer.bin", "tokens": 700}
    plain = fourcc.evaluate(models / "tiny.bin", text, reference=more, **common)  # type: ignore[arg-type]
    found = fourcc.evaluate(more, text, reference=models / "tiny.bin", **common)  # type: ignore[arg-type]
    assert (plain.vocabulary, plain.padding, found.vocabulary, found.padding) == (384, 0, 384, 64)
    assert plain.divergence is not None
    assert found.divergence is not None
    assert max(plain.divergence.mean, found.divergence.mean) < 1e-9
    assert found.loss.mean == pytest.approx(plain.loss.mean, rel=1e-6)


@pytest.mark.parametrize("begins", [True, False])
def test_the_line_says_whether_there_is_a_token_before_the_text(
    models: Path,
    text: str,
    tmp_path: Path,
    begins: bool,
) -> None:
    """The tokenizer.json decides; without BOS the first token of each window has nothing before it."""
    tokenizer = byte_pairs()
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    found = fourcc.evaluate(with_json(models, tmp_path, tokenizer), text)
    total, width = len(tokenizer.encode(text, add_special_tokens=False).ids), 255 if begins else 256
    windows = -(-total // width)
    assert found.tokens == found.text.scored == (total if begins else total - windows)
    assert str(found.text) == f"{windows} disjoint windows of at most 256 tokens, " + (
        f"each after BOS; all {total} tokens scored"
        if begins
        else f"without BOS, so the first token of each is not scored; {found.tokens} of {total} tokens scored"
    )


# -- kernels that round


@pytest.mark.parametrize("tag", ["Q8_0,F16", "BF16"])
def test_a_copy_without_loss_is_at_the_noise_floor(models: Path, text: str, tmp_path: Path, tag: str) -> None:
    """The reference's kernels round activations, too; that is not counted against the copy."""
    tokenizer = models / "tiny_tokenizer.bin"
    fourcc.convert(models / "tiny.bin", tmp_path / "a.bin", policy=fourcc.Policy.shorthand(tag), tokenizer=tokenizer)
    fourcc.convert(tmp_path / "a.bin", tmp_path / "copy.bin", policy=fourcc.Policy.shorthand("F32"))
    found = fourcc.evaluate(tmp_path / "copy.bin", text, reference=tmp_path / "a.bin", tokens=700)
    assert found.divergence is not None
    assert found.noise_floor is not None
    assert found.divergence.mean <= max(10 * found.noise_floor, 1e-11)
    assert found.noise_floor < 1e-9


def test_exactly_is_without_what_the_kernels_round(models: Path, text: str, tmp_path: Path) -> None:
    """A model is no distance from its own weights exactly, and some as it runs; loss and networks tell likewise."""
    tokenizer, tag = models / "tiny_tokenizer.bin", fourcc.Policy.shorthand("Q8_0,F16")
    fourcc.convert(models / "tiny.bin", tmp_path / "a.bin", policy=tag, tokenizer=tokenizer)
    fourcc.convert(tmp_path / "a.bin", tmp_path / "copy.bin", policy=fourcc.Policy.shorthand("F32"))
    copy = fourcc.evaluate(tmp_path / "copy.bin", text, tokens=700)
    runs, exact = (
        fourcc.evaluate(tmp_path / "a.bin", text, reference=tmp_path / "a.bin", tokens=700, activations=each)
        for each in ("dynamic", "exact")
    )
    assert (runs.exact, exact.exact, copy.exact) == (False, True, True)
    assert runs.divergence is not None
    assert exact.divergence is not None
    assert exact.divergence.mean < 1e-9
    assert runs.divergence.mean > 1e-7
    assert exact.loss.mean == pytest.approx(copy.loss.mean, rel=1e-6)
    assert abs(runs.loss.mean - copy.loss.mean) > 1e-6


def test_both_ways_at_once_are_those_alone(quantized: Path, models: Path, text: str) -> None:
    """Both run in lock step, with weights in memory once."""
    with ExitStack() as stack:
        model = open_to_run(quantized, stack)[0]
        against = open_to_run(models / "tiny.bin", stack, tokenizer=models / "tiny_tokenizer.bin")[0]
        together = measure(
            [EvaluatedModel(model), EvaluatedModel(model, "exact")], text, Protocol(256, limit=300), against
        )
        for activations, found in zip(("dynamic", "exact"), together, strict=True):
            alone = fourcc.evaluate(model, text, reference=against, tokens=300, activations=activations)
            assert repr(found) == repr(alone)


# -- what is refused


def test_numbers_that_are_not_finite_are_refused(models: Path, text: str, tmp_path: Path) -> None:
    """The error names the file; there is no perplexity of nan."""
    with pytest.raises(InputError, match=r"broken.bin: the model's logits after 1 tokens of window 1 are not finite"):
        fourcc.evaluate(broken(models, tmp_path), text)


def test_what_is_no_language_model_is_called_so(text: str, tmp_path: Path) -> None:
    """The model is refused before its tokenizer is opened."""
    np.savez(tmp_path / "w.npz", w=np.ones((4, 8), np.float32))
    with pytest.raises(UsageError, match=r"w.npz: this model cannot be run: found architecture None"):
        fourcc.evaluate(tmp_path / "w.npz", text)


def test_a_text_without_tokens_is_refused(quantized: Path) -> None:
    """The error is that of the command line."""
    with pytest.raises(UsageError, match="the text has no token to score"):
        fourcc.evaluate(quantized, "")


def test_a_temporary_file_is_never_named(models: Path) -> None:
    """A model that came of a checkpoint goes by the checkpoint's name; the file is gone behind it."""
    with ExitStack() as stack:
        model, notes = open_to_run(models / "tiny.bin", stack)
        assert (model.path, notes) == (models / "tiny.bin", ())
        assert repr(model).startswith(f"<Model {models / 'tiny.bin'}: 38 tensors, ")
        assert os.fstat(model.file.files[0].fd).st_nlink == 0


def test_what_a_notebook_shows(models: Path, quantized: Path, tmp_path: Path) -> None:
    """The repr is one line, however large the model."""
    result = fourcc.convert(models / "tiny.bin", tmp_path / "m.bin")
    assert repr(result) == f"<Result {tmp_path / 'm.bin'}: 38 tensors, 351072 weights, 32 bits per weight>"
    with fourcc.open(models / "tiny.bin") as source:
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


def test_a_name_of_a_file_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its few letters would be measured."""
    monkeypatch.chdir(tmp_path)
    written = tmp_path / "held.txt"
    written.write_text("Once upon a time")
    source = Path(__file__).parents[2] / "fourcc" / "example" / "tiny.bin"
    tokenizer = source.with_name("tiny_tokenizer.bin")
    with pytest.raises(UsageError, match=r"the text is the name of a file: found 'held.txt'.*pathlib.Path"):
        fourcc.evaluate(source, "held.txt", tokenizer=tokenizer)
