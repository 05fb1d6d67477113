"""`fourcc eval`: tables, JSON and gates."""

from pathlib import Path

import pytest

from tests.cli.making import Runner


@pytest.fixture(scope="module")
def text(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of the held-out stories."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n\n".join((root / "tests" / "models" / "heldout.txt").read_text().split("\n\n")[:12]))
    return path


def test_a_model_alone(run: Runner, model: Path, text: Path) -> None:
    """Loss and perplexity, and how they were measured."""
    ended = run("eval", model, "--text", text, "--documents")
    assert ended.code == 0, ended.err
    head, row = ended.out.splitlines()[:2]
    assert head.split() == ["model", "tokens", "nats/token", "perplexity"]
    assert 0.1 < float(row.split()[2]) < 0.2  # the tests' model reaches 0.15 on such stories
    assert "documents parted by empty lines, each after BOS, cut at 256 tokens; text SHA-256" in ended.out


def test_against_a_reference(run: Runner, model: Path, tiny: Path, text: Path) -> None:
    """In JSON; a model is no distance from itself."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    ended = run("eval", model, tiny, "--text", text, "--reference", tiny, "-z", tokenizer, "--documents", "--json")
    assert ended.code == 0, ended.err
    quantized, same = ended.document["models"]
    assert ended.document["schema"] == "fourcc.eval/1"
    assert same["kl_divergence"]["mean"] == 0
    assert same["top1_agreement"]["mean"] == 1
    assert 0 < quantized["kl_divergence"]["median"] < quantized["kl_divergence"]["mean"] < 1e-3
    assert quantized["kl_divergence"]["low"] < quantized["kl_divergence"]["mean"] < quantized["kl_divergence"]["high"]
    assert 0.99 < quantized["perplexity_ratio"]["mean"] < 1.01
    assert 0 <= ended.document["noise_floor"] < 1e-9


def test_a_gate_that_does_not_hold_is_exit_code_1(run: Runner, model: Path, tiny: Path, text: Path) -> None:
    """And is named, with what was found."""
    common = ("--text", text, "--reference", tiny, "-z", tiny.with_name("tiny_tokenizer.bin"), "--documents")
    ended = run("eval", model, *common, "--max-kld", 1e-9, "--max-ppl-ratio", 2, "--min-top1", 0.5)
    assert ended.code == 1
    assert "--max-kld: found " in ended.out
    assert "expected 1e-09" in ended.out
    assert "--max-ppl-ratio" not in ended.out
    assert run("eval", model, *common, "--max-kld", 1, "--max-ppl-ratio", 2, "--min-top1", 0.5).code == 0
    assert run("eval", model, *common, "--min-top1", 1).code == 1


def test_what_makes_no_sense_is_refused(run: Runner, model: Path, text: Path, tmp_path: Path) -> None:
    """A gate without a reference, a stride that is too wide, a text that is none."""
    ended = run("eval", model, "--text", text, "--max-kld", 1)
    assert ended.code == 2
    assert "a gate compares with a reference. Add --reference MODEL." in ended.err
    assert run("eval", model, "--text", text, "--context", 8, "--stride", 8).code == 2
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    ended = run("eval", model, "--text", tmp_path / "latin.txt")
    assert ended.code == 2
    assert "the text is not UTF-8: found byte 0xe9" in ended.err
