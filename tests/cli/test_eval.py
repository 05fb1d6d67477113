"""`fourcc eval`: tables, JSON and gates."""

import hashlib
from pathlib import Path

import pytest

import fourcc
from tests.cli.making import Runner
from tests.running.variants import broken, padded, permuted


@pytest.fixture(scope="module")
def text(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of the held-out stories."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n\n".join((root / "fourcc" / "example" / "heldout.txt").read_text().split("\n\n")[:12]))
    return path


def test_a_model_alone(run: Runner, model: Path, text: Path) -> None:
    """Loss and perplexity, and how they were measured."""
    ended = run("eval", model, "--text", text, "--documents")
    assert ended.code == 0, ended.err
    head, row = ended.out.splitlines()[:2]
    assert head.split() == ["model", "tokens", "nats/token", "perplexity"]
    assert 0.1 < float(row.split()[2]) < 0.2  # the tests' model reaches 0.15 on such stories
    assert float(row.split()[4]) < 0.05
    digest = hashlib.sha256(text.read_bytes()).hexdigest()[:16]
    tokens = row.split()[1]
    with fourcc.open(model) as opened:
        lengths = [len(opened.tokenizer.encode(story, bos=False)) for story in text.read_text().split("\n\n")]
    assert int(tokens) == sum(lengths)
    assert ended.out.splitlines()[3:] == [
        f"text SHA-256 {digest}",
        f"12 documents parted by empty lines, each after BOS; all {tokens} tokens scored",
        f"95 % intervals by bootstrap of 12 blocks of whole documents, {min(lengths)} tokens or more in each",
    ]


def test_against_a_reference(run: Runner, model: Path, tiny: Path, text: Path) -> None:
    """In JSON; a model is no distance from itself."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    ended = run("eval", model, tiny, "--text", text, "--reference", tiny, "-z", tokenizer, "--documents", "--json")
    assert ended.code == 0, ended.err
    quantized, same = ended.document["models"]
    assert ended.document["schema"] == "fourcc.eval/2"
    assert same["kl_divergence"]["mean"] == 0
    assert same["top1_agreement"]["mean"] == 1
    assert 0 < quantized["kl_divergence"]["median"] < quantized["kl_divergence"]["mean"] < 1e-3
    assert quantized["kl_divergence"]["low"] < quantized["kl_divergence"]["mean"] < quantized["kl_divergence"]["high"]
    assert 0.99 < quantized["perplexity_ratio"]["mean"] < 1.01
    assert 0 <= ended.document["noise_floor"] < 1e-9
    assert (quantized["exact_as_run"], same["exact_as_run"]) == (False, True)
    assert quantized["exact"] is None


def test_a_text_of_one_window_has_no_interval(run: Runner, model: Path, tmp_path: Path) -> None:
    """Null in JSON, a dash in the table, and the reason; what is printed is what was done."""
    (tmp_path / "short.txt").write_text("Once upon a time, there was a little girl.")
    ended = run("eval", model, "--text", tmp_path / "short.txt")
    row, _, _, done, why = ended.out.splitlines()[1:]
    tokens = row.split()[1]
    assert row.split()[3:5] == ["±", "-"]
    assert done == f"1 window of {int(tokens) + 1} tokens, after BOS; all {tokens} tokens scored"
    assert why.startswith(
        f"no intervals: {tokens} tokens make 0 blocks of consecutive tokens, 64 tokens or more in each"
    )
    found = run("eval", model, "--text", tmp_path / "short.txt", "--json").document["models"][0]
    assert (found["loss"]["low"], found["loss"]["high"], found["intervals"]["enough"]) == (None, None, False)
    assert found["protocol"]["text"] == done
    assert found["tokens"] == int(tokens) == found["protocol"]["text_tokens"]


def test_both_ways_of_running(run: Runner, model: Path, tiny: Path, text: Path) -> None:
    """A model that rounds activations has a row for each; one that does not has one, and a line says so."""
    common = ("--text", text, "--reference", tiny, "-z", tiny.with_name("tiny_tokenizer.bin"), "--tokens", 700)
    ended = run("eval", model, tiny, *common, "--exact")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == [str(model), f"{model}, exact", str(tiny), "reference"]
    assert f"{model}: 'exact' is with activations as floats" in lines
    assert f"{tiny}: rounds no activations: exact as it runs" in lines
    runs, plain = run("eval", model, tiny, *common, "--exact", "--json").document["models"]
    assert 0 < runs["exact"]["kl_divergence"]["mean"] < runs["kl_divergence"]["mean"]
    assert plain["exact"]["kl_divergence"]["mean"] == plain["kl_divergence"]["mean"] == 0
    alone = run("eval", model, *common[:2], "--tokens", 700, "--exact", "--json").document["models"][0]
    assert alone["exact"]["loss"] == runs["exact"]["loss"]


def test_models_of_other_tokens(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """Each reads its own, and the losses agree; with a reference they are refused."""
    plain, other = tmp_path / "plain.bin", permuted(tiny.parent, tmp_path)
    fourcc.convert(tiny, plain, tokenizer=tiny.with_name("tiny_tokenizer.bin"))
    ended = run("eval", other, plain, "--text", text)
    first, second = ended.out.splitlines()[1:3]
    assert first.split()[1:] == second.split()[1:]
    assert ended.out.endswith(
        "the models have different tokens: nats/token and perplexity are not of the same things\n"
    )
    ended = run("eval", other, "--text", text, "--reference", plain)
    assert ended.code == 2
    assert f"{other}: the model and the reference {plain} have different tokens: token " in ended.err


def test_rows_that_are_no_tokens_are_told(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """Percentiles of the model that has them."""
    tokenizer, other = tiny.with_name("tiny_tokenizer.bin"), padded(tiny.parent, tmp_path)
    ended = run("eval", other, tiny, "--text", text, "-z", tokenizer, "--reference", tiny, "--tokens", 700)
    assert ended.code == 0, ended.err
    assert f"{other}: 64 rows of the vocabulary that are no tokens are left out" in ended.out.splitlines()


def test_a_gate_that_does_not_hold_is_exit_code_1(run: Runner, model: Path, tiny: Path, text: Path) -> None:
    """The gate is named, with what was found."""
    common = ("--text", text, "--reference", tiny, "-z", tiny.with_name("tiny_tokenizer.bin"), "--documents")
    ended = run("eval", model, *common, "--max-kld", 1e-9, "--max-ppl-ratio", 2, "--min-top1", 0.5)
    assert ended.code == 1
    assert "--max-kld: found " in ended.out
    assert "expected 1e-09" in ended.out
    assert "--max-ppl-ratio" not in ended.out
    assert run("eval", model, *common, "--max-kld", 1, "--max-ppl-ratio", 2, "--min-top1", 0.5).code == 0
    assert run("eval", model, *common, "--min-top1", 1).code == 1


def test_a_gate_is_held_against_the_mean(run: Runner, model: Path, tiny: Path, tmp_path: Path) -> None:
    """This holds without an interval, too."""
    (tmp_path / "short.txt").write_text("Once upon a time, there was a little girl.")
    common = ("--text", tmp_path / "short.txt", "--reference", tiny, "-z", tiny.with_name("tiny_tokenizer.bin"))
    assert run("eval", model, *common, "--max-kld", 1e-12).code == 1
    assert run("eval", model, *common, "--max-kld", 1, "--min-top1", 0.1).code == 0


@pytest.mark.parametrize(
    ("gate", "value", "wanted"),
    [
        ("--min-top1", 95, "bad value of --min-top1: found 95, expected a share, 0 to 1"),
        ("--min-top1", -0.5, "bad value of --min-top1: found -0.5, expected a share, 0 to 1"),
        ("--min-top1", "nan", "bad value of --min-top1: found nan, expected a share, 0 to 1"),
        ("--max-kld", -1, "--max-kld: found -1, expected a number from 0 on"),
        ("--max-kld", "inf", "--max-kld: found inf, expected a number from 0 on"),
        ("--max-ppl-ratio", "nan", "--max-ppl-ratio: found nan, expected a number from 0 on"),
    ],
)
def test_a_gate_that_is_no_such_number_is_refused(
    run: Runner, model: Path, text: Path, gate: str, value: object, wanted: str
) -> None:
    """It is refused before anything is measured."""
    ended = run("eval", model, "--text", text, "--reference", model, gate, value)
    assert ended.code == 2
    assert wanted in ended.err


def test_numbers_that_are_not_finite(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """A perplexity of NaN never has exit code 0."""
    bad = broken(tiny.parent, tmp_path)
    ended = run("eval", bad, "--text", text)
    assert ended.code == 3
    assert f"{bad}: the model's logits after 1 tokens of window 1 are not finite: found " in ended.err
    assert not ended.out


def test_each_option_has_one_default(run: Runner) -> None:
    """The help states it once."""
    words = " ".join(run("eval", "--help").out.split())
    assert "--context N Tokens of a window. [default: the models' context] --stride" in words


def test_what_makes_no_sense_is_refused(run: Runner, model: Path, text: Path, tmp_path: Path) -> None:
    """A gate without a reference, a stride that is too wide, a text that is none."""
    ended = run("eval", model, "--text", text, "--max-kld", 1)
    assert ended.code == 2
    assert "a gate needs a reference to compare with. Add --reference MODEL." in ended.err
    assert run("eval", model, "--text", text, "--context", 8, "--stride", 8).code == 2
    ended = run("eval", model, "--text", text, "--context", 100_000)
    assert ended.code == 2
    assert f"{model}: a window cannot be so long: found 100000, expected at most 256, the model's context" in ended.err
    ended = run("eval", model, "--text", text, "--tokens", -1)
    assert ended.code == 2
    assert "bad number of tokens to score: found -1, expected 1 or more, or 0 for all" in ended.err
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    ended = run("eval", model, "--text", tmp_path / "latin.txt")
    assert ended.code == 2
    assert "the text is not UTF-8: found byte 0xe9" in ended.err
