"""Costs are those of the original with one unit changed: checked against the network run as a whole, without stages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.calibration import original_run
from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.calibration.measure import measure
from fourcc.calibration.output_comparison import OutputComparison
from fourcc.errors import UsageError
from fourcc.files.journal import read_journal
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
MODEL, TOKENIZER, TEXT = FOLDER / "tiny.bin", FOLDER / "tiny_tokenizer.bin", FOLDER / "heldout.txt"
WQ, EMBEDDING = "layers.0.attention.wq", "tok_embeddings"


def measured(output: Path | None = None, **changes: Any) -> Costs:
    """Costs of the shipped model on the start of its text."""
    settings = {"options": "Q4_0,Q8_0", "tokens": 60, "threads": 1, "tokenizer": TOKENIZER, **changes}
    return measure(settings.pop("model", MODEL), settings.pop("text", TEXT), output, **settings)


@pytest.fixture(scope="module")
def costs() -> Costs:
    return measured()


def by_tag(unit: Unit) -> dict[str, Option]:
    """The options of a unit."""
    return {str(option.tag): option for option in unit.options}


def evaluated(folder: Path, changed: dict[str, str]) -> float:
    """KL divergence of a model.bin in which some tensors have another format, as `fourcc eval --exact` has it."""
    rules = "".join(f'[[rule]]\nmatch = "{name}"\ntag = "{tag}"\n' for name, tag in changed.items())
    policy = f'version = 1\n{rules}[[rule]]\nmatch = "*"\nkeep = true\n'
    fourcc.convert(MODEL, folder / "changed.bin", policy=policy, tokenizer=TOKENIZER, force=True)
    result = fourcc.evaluate(
        folder / "changed.bin", TEXT, reference=MODEL, tokenizer=TOKENIZER, tokens=60, activations="exact"
    )
    assert result.divergence is not None
    return result.divergence.mean


@pytest.mark.parametrize(("name", "tag"), [(WQ, "Q4_0"), ("layers.3.feed_forward.w3", "Q4_0"), (EMBEDDING, "Q8_0")])
def test_the_measured_damage_is_that_of_the_converted_model(costs: Costs, tmp_path: Path, name: str, tag: str) -> None:
    """The judge converts, opens the file, and runs the whole network; it knows nothing of stages."""
    unit = costs.unit(name)
    option = by_tag(unit)[tag]
    assert unit.options.index(option) in unit.measured
    assert option.kld == pytest.approx(evaluated(tmp_path, {name: tag}), rel=1e-5)


def test_a_group_is_changed_as_a_whole(tmp_path: Path) -> None:
    unit = measured(group="q+k+v").unit("layers.0.attention.wq+wk+wv")
    names = [f"layers.0.attention.w{letter}" for letter in "qkv"]
    assert list(unit.tensors) == names
    assert unit.roles == ("attention.q", "attention.k", "attention.v")
    assert by_tag(unit)["Q4_0"].kld == pytest.approx(evaluated(tmp_path, dict.fromkeys(names, "Q4_0")), rel=1e-5)


def test_bytes_are_those_of_the_converted_model(costs: Costs, tmp_path: Path) -> None:
    fourcc.convert(MODEL, tmp_path / "all.bin", format="Q4_0,F32")
    with fourcc.Model(tmp_path / "all.bin") as model:
        for unit in costs.units:
            assert by_tag(unit)["Q4_0"].nbytes == model[unit.name].nbytes


def test_what_is_not_measured_is_scaled_by_the_output_error(costs: Costs) -> None:
    unit = costs.unit(WQ)
    small, large = by_tag(unit)["Q4_0"], by_tag(unit)["Q8_0"]
    assert unit.measured == (0,)
    assert small.kld is not None
    assert small.output_error is not None
    assert large.output_error is not None
    assert large.kld == pytest.approx(small.kld * large.output_error / small.output_error, rel=1e-7)


def test_the_output_error_is_that_of_the_quadratic_form() -> None:
    """tr(D G D^T) / tr(W G W^T), in float64, with G = sum x^T x."""
    random = np.random.default_rng(5)
    weights, decoded = random.normal(size=(2, 7, 40)).astype(np.float32)
    inputs = random.normal(size=(700, 40)).astype(np.float32)
    gram = inputs.T.astype(np.float64) @ inputs
    d = weights.astype(np.float64) - decoded
    expected = np.trace(d @ gram @ d.T) / np.trace(weights @ gram @ weights.T)
    assert OutputComparison(weights, inputs, 1)(decoded) == pytest.approx(expected, rel=1e-5)
    assert OutputComparison(weights, inputs, 1)(weights) == 0.0
    assert OutputComparison(0 * weights, inputs, 1)(decoded) is None


def test_the_output_error_of_a_look_up_is_that_of_the_rows_that_occur() -> None:
    random = np.random.default_rng(6)
    weights, decoded = random.normal(size=(2, 9, 8)).astype(np.float32)
    tokens = [3, 3, 8]
    rows = weights[tokens].astype(np.float64)
    expected = ((rows - decoded[tokens]) ** 2).sum() / (rows**2).sum()
    assert OutputComparison(weights, tokens, 1)(decoded) == pytest.approx(expected, rel=1e-6)


def test_the_option_nearest_to_three_and_a_half_bits_is_measured() -> None:
    unit = measured(options="Q8_0,NF4,Q4_0,F32,F16").unit(WQ)
    assert [str(unit.options[at].tag) for at in unit.measured] == ["Q4_0"]
    assert [str(option.tag) for option in unit.options] == ["Q4_0", "NF4", "Q8_0", "F16", "F32"]
    assert by_tag(unit)["F32"].kld == 0
    assert by_tag(unit)["F32"].output_error == 0


def test_every_option_of_an_embedding_is_measured(costs: Costs) -> None:
    assert costs.unit(EMBEDDING).measured == (0, 1)
    assert costs.unit(EMBEDDING).roles == ("embedding", "output")


def test_every_option_is_measured_on_demand(tmp_path: Path) -> None:
    unit = measured(direct=True).unit(WQ)
    assert unit.measured == (0, 1)
    assert by_tag(unit)["Q8_0"].kld == pytest.approx(evaluated(tmp_path, {WQ: "Q8_0"}), rel=1e-3, abs=1e-10)


def test_what_no_option_fits_stays(costs: Costs) -> None:
    """Rows of 176 are no whole blocks of 32; norms are vectors."""
    fixed = {tensor.name: tensor for tensor in costs.fixed}
    assert "layers.0.feed_forward.w2" in fixed
    assert fixed["norm"].nbytes == 384
    names = {name for unit in costs.units for name in unit.tensors} | set(fixed)
    with fourcc.open(MODEL) as source:
        assert names == set(source)


def test_the_head_says_what_was_measured(costs: Costs) -> None:
    assert (costs.tokens, costs.documents, costs.calibration, costs.feedback) == (60, False, None, None)
    assert costs.fourcc == fourcc.__version__
    assert len(costs.text) == 64


def test_the_bytes_do_not_depend_on_threads(costs: Costs) -> None:
    assert measured(threads=3).dumps() == costs.dumps()


def test_log_probabilities_that_are_not_kept_are_computed_again(costs: Costs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original_run, "KEPT_BYTES", 0)
    assert measured().dumps() == costs.dumps()


# -- resuming


def interrupted(target: Path, stop: Callable[[str], bool], **settings: Any) -> None:
    """A measurement that is interrupted when a unit begins or a stage was run."""

    def interrupt(name: str, done: int, total: int) -> None:
        if stop(name):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(target, progress=interrupt, **settings)


def counting(calls: int) -> Callable[[str], bool]:
    """Whether this is such a call."""
    names: list[str] = []

    def stop(name: str) -> bool:
        names.append(name)
        return len(names) == calls

    return stop


def test_an_interrupted_measurement_is_resumed(costs: Costs, tmp_path: Path) -> None:
    """It goes on after the units that are done, even if the last line was torn; the bytes are the same."""
    target, journal, notes = tmp_path / "model.costs", tmp_path / "model.costs.journal", []
    interrupted(target, lambda name: name == "layers.1.attention.wq")
    assert {path.name for path in tmp_path.iterdir()} == {"model.costs.journal", "model.costs.part"}
    with journal.open("ab") as file:
        file.write(b'{"unit": "torn')
    measured(target, note=notes.append, resume=True)
    assert target.read_text() == costs.dumps()
    assert not journal.exists()
    assert "22 options were encoded or run before the interruption; 7 of 25 units are done" in notes


@pytest.mark.parametrize("calls", [1, 4, 7, 9, 12, 13])
def test_no_option_is_measured_twice(costs: Costs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Interrupted anywhere, it has noted what is done: an option that was encoded, or run."""
    target, made = tmp_path / "model.costs", []
    divergence = original_run.OriginalRun.divergence

    def counted(self: Any, replaced: Any) -> float:
        made.append(sorted(replaced))
        return divergence(self, replaced)

    interrupted(target, counting(calls))
    known = read_journal(target.with_name("model.costs.journal"))
    done = {} if known is None else known.done
    monkeypatch.setattr(original_run.OriginalRun, "divergence", counted)
    measured(target, resume=True)
    assert target.read_text() == costs.dumps()
    runs = sum(len(unit.measured) for unit in costs.units)
    assert len(made) == runs - sum(key.endswith(", run") for key in done)


def test_what_another_command_left_is_not_resumed(tmp_path: Path) -> None:
    target = tmp_path / "model.costs"
    interrupted(target, lambda name: name == WQ)
    with pytest.raises(UsageError, match=r"unfinished work lies beside the output: .*--resume goes on"):
        measured(target)
    with pytest.raises(UsageError, match=r"not the one that is asked for: tokens is 60, not 61"):
        measured(target, tokens=61, resume=True)
    assert measured(target, tokens=61, force=True).tokens == 61
    assert [path.name for path in tmp_path.iterdir()] == ["model.costs"]


def test_products_are_timed_on_demand(costs: Costs) -> None:
    """A matrix like one that was timed before has its time; nothing else of the costs changes."""
    timed = measured(seconds=True)
    seconds = {unit.name: [option.seconds for option in unit.options] for unit in timed.units}
    assert all(each is not None and 0 < each < 1 for some in seconds.values() for each in some)
    assert seconds["layers.0.attention.wq"] == seconds["layers.3.attention.wo"]
    assert seconds["layers.0.attention.wq"] != seconds["layers.0.attention.wk"]
    without = [
        attrs.evolve(unit, options=tuple(attrs.evolve(option, seconds=None) for option in unit.options))
        for unit in timed.units
    ]
    assert tuple(without) == costs.units
