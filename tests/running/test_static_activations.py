"""Models with static ranges: converted, inspected, run, measured, exported, converted again."""

import json
from contextlib import ExitStack
from pathlib import Path

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.calibration.calibration import Calibration
from fourcc.cli.app import main
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import InputError, UsageError
from fourcc.execution import Execution
from fourcc.models.evaluation import measure
from fourcc.models.model import Model
from fourcc.models.opening import open_to_run
from fourcc.models.scored_models import EvaluatedModel
from fourcc.models.windows import Protocol
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.activation_ranges import BLOB

TOKENS = list(range(1, 40))
COMMON = Policy.shorthand("Q8_0,F16")  # rows of 176 take no Q8_0


@pytest.fixture(scope="module")
def tiny(root: Path) -> Path:
    """The shipped model, float32."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture(scope="module")
def calibration(tiny: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """A calibration of it on a few stories."""
    folder = tmp_path_factory.mktemp("calibration")
    text, tokenizer = root / "fourcc" / "example" / "heldout.txt", tiny.with_name("tiny_tokenizer.bin")
    return fourcc.calibrate(tiny, text, folder / "tiny.calib", tokenizer=tokenizer, tokens=600, documents=True)


@pytest.fixture(scope="module")
def static(tiny: Path, calibration: Calibration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with ranges."""
    path = tmp_path_factory.mktemp("static") / "static.bin"
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    fourcc.convert(tiny, path, policy=COMMON, tokenizer=tokenizer, calibration=calibration, activations="static")
    return path


def logits(model: Model, activations: str) -> np.ndarray:
    """After each of some tokens."""
    network = model.network(threads=1, activations=activations)  # type: ignore[arg-type]  # one of the three
    return network.forward(TOKENS, every=True)


def test_the_three_ways_to_take_activations(static: Path, calibration: Calibration) -> None:
    """By default dynamic; static is near it, and no way of the three is another."""
    with Model(static) as model:
        dynamic, ranged, exact = (logits(model, each) for each in ("dynamic", "static", "exact"))
        np.testing.assert_array_equal(model.network(threads=1).forward(TOKENS, every=True), dynamic)
        np.testing.assert_array_equal(model.network(threads=1).exactly().forward(TOKENS, every=True), exact)
        size = np.sqrt(np.mean(exact**2))
        assert 0 < np.sqrt(np.mean((dynamic - exact) ** 2)) < np.sqrt(np.mean((ranged - exact) ** 2)) < 0.05 * size
        assert model.ranges.keys() == calibration.ranges().keys()


def test_a_network_says_how_many_matrices_use_ranges(static: Path) -> None:
    """Matrices in F16 have ranges and no use for them."""
    with Model(static) as model:
        network = model.network(threads=1, activations="static")
        tags = {record.name: str(record.tag) for record in model.index.tensors}
        used = sum(tags[name] == "Q8_0" for name in model.ranges)
        matrices = sum(len(record.shape) == 2 for record in model.index.tensors)
        assert 0 < used < matrices
        assert str(network.range_use) == f"static activations: {used} of {matrices} matrices use ranges"
        assert model.range_use == network.range_use
        model.network(threads=1)
        assert model.range_use is None


def test_a_network_with_ranges_gives_the_same_in_batches_and_alone(static: Path) -> None:
    """But for codes that an order of sums tips over, as everywhere."""
    with Model(static) as model:
        network = model.network(threads=2, activations="static")
        whole = network.forward(TOKENS, every=True)
        network.reset()
        alone = np.concatenate([network.forward([token]).copy() for token in TOKENS])
        assert np.sqrt(np.mean((alone - whole) ** 2)) < 0.05 * np.sqrt(np.mean(whole**2))


def test_a_model_without_ranges_cannot_be_run_by_them(tiny: Path, tmp_path: Path) -> None:
    fourcc.convert(tiny, tmp_path / "plain.bin", policy=COMMON)
    with (
        Model(tmp_path / "plain.bin") as model,
        pytest.raises(
            UsageError, match=r"plain.bin: the model has no activation ranges. `fourcc convert --activations"
        ),
    ):
        model.network(activations="static")


def test_damaged_ranges_disturb_static_activations_alone(static: Path, tmp_path: Path) -> None:
    """Their fields are checked when they are used; a model that is run otherwise does not read them."""
    path = tmp_path / "bad.bin"
    with open_source(static) as source:
        execute(attrs.evolve(plan(source, Policy.keep()), ranges={"norm": np.ones(2, np.float32)}), path)
    with Model(path) as model:
        assert logits(model, "dynamic").any()
        with pytest.raises(
            InputError, match=r"bad.bin, tensor 'norm': activation ranges of a tensor that is no matrix"
        ):
            model.network(activations="static")
    with pytest.raises(InputError, match="no matrix"):
        fourcc.convert(path, tmp_path / "again.bin")


# -- conversions


def test_ranges_go_with_the_tensors_that_are_taken(static: Path, tmp_path: Path) -> None:
    """Whatever format these get: ranges are of what the matrix is multiplied by."""
    fourcc.convert(static, tmp_path / "some.bin", policy=Policy.shorthand("Q4_0,F16"), exclude=["*.w1", "*.w3"])
    with Model(static) as before, Model(tmp_path / "some.bin") as after:
        assert list(after.ranges) == [name for name in before.ranges if not name.endswith((".w1", ".w3"))]
        for name, ranges in after.ranges.items():
            np.testing.assert_array_equal(ranges, before.ranges[name])
    fourcc.convert(static, tmp_path / "none.bin", include=["norm"])
    with Model(tmp_path / "none.bin") as model:
        assert BLOB not in [blob.name for blob in model.index.blobs]


def test_a_calibration_replaces_ranges(static: Path, calibration: Calibration, tmp_path: Path) -> None:
    """By default what the source has stays, with a calibration that only weighs errors too."""
    fourcc.convert(static, tmp_path / "same.bin")
    with Model(static) as before, Model(tmp_path / "same.bin") as after:
        assert after.blob(BLOB) == before.blob(BLOB)
    assert calibration.ranges()


def test_static_activations_need_a_calibration_with_ranges(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"static activations need a calibration. Add --calibration FILE."):
        fourcc.convert(tiny, tmp_path / "a.bin", activations="static")


def test_a_calibration_without_these_tensors_is_refused(tiny: Path, calibration: Calibration, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the calibration gives no range of activations to any of these tensors"):
        fourcc.convert(tiny, tmp_path / "a.bin", include=["norm"], calibration=calibration, activations="static")


def test_the_bytes_do_not_depend_on_threads(tiny: Path, calibration: Calibration, static: Path, tmp_path: Path) -> None:
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    again = tmp_path / "again.bin"
    options = {"policy": COMMON, "tokenizer": tokenizer, "calibration": calibration, "activations": "static"}
    fourcc.convert(tiny, again, threads=3, **options)  # type: ignore[arg-type]  # as they are named
    assert again.read_bytes() == static.read_bytes()


@pytest.mark.parametrize("kind", ["gguf", "safetensors", "llama2c-v0"])
def test_exports_say_that_ranges_are_left_out(
    static: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(static), "-o", str(out), "--to", kind, "--format", "F32"]) == 0
    assert f"{BLOB} is left out" in capsys.readouterr().err


# -- measured


def test_a_model_is_measured_in_all_three_ways_at_once(tiny: Path, static: Path, root: Path) -> None:
    """As alone, with one copy of the weights; only the static one names ranges."""
    text = (root / "fourcc" / "example" / "heldout.txt").read_text()
    with ExitStack() as stack:
        model = open_to_run(static, stack)[0]
        against = open_to_run(tiny, stack, tokenizer=tiny.with_name("tiny_tokenizer.bin"))[0]
        modes = ("dynamic", "static", "exact")
        subjects = [EvaluatedModel(model, mode) for mode in modes]  # type: ignore[arg-type]  # a tuple of texts
        protocol = Protocol(128, limit=200)
        together = measure(subjects, text, protocol, against, Execution(threads=1))
        means = [each.divergence.mean for each in together if each.divergence is not None]
        assert means[2] < means[0] < means[1] < 0.1
        assert [each.range_use is None for each in together] == [True, False, True]
        alone = fourcc.evaluate(
            model, text, reference=against, context=128, tokens=200, activations="static", threads=1
        )
        assert repr(alone) == repr(together[1])


# -- the command line


def test_the_command_line(
    tiny: Path, calibration: Calibration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`convert` counts, `inspect` shows, `run` and `eval` use, each with what it did."""
    out, text = tmp_path / "a.bin", tmp_path / "text.txt"
    text.write_text("One day a dog and a cat went to the park. They were very happy.")
    given = ["--format", "Q8_0,F16", "--tokenizer", str(tiny.with_name("tiny_tokenizer.bin"))]
    calibrated = ["--calibration", str(calibration.path), "--activations", "static"]

    def said(*arguments: object) -> tuple[str, str]:
        assert main([str(argument) for argument in arguments]) == 0
        captured = capsys.readouterr()
        return captured.out, captured.err

    count = len(calibration.ranges())
    shown, noted = said("convert", tiny, "-o", out, *given, *calibrated)
    assert f"activation ranges  of {count} matrices" in shown
    assert "is not used" not in noted
    document = json.loads(said("convert", tiny, "-o", out, *given, *calibrated, "--force", "--json")[0])
    assert document["matrices_with_ranges"] == count
    assert BLOB in said("inspect", out)[0]
    texts = {}
    for mode in ("dynamic", "static", "exact"):
        texts[mode], noted = said("run", out, "-t", 0, "-n", 20, "-i", "One day", "--activations", mode)
        assert ("static activations: " in noted) == (mode == "static")
    assert said("run", out, "-t", 0, "-n", 20, "-i", "One day")[0] == texts["dynamic"]
    shown = said("eval", out, "--text", text, "--activations", "static", "--exact")[0]
    assert f"{out}, exact" in shown
    assert "static activations: " in shown
    (measured,) = json.loads(said("eval", out, "--text", text, "--activations", "static", "--json")[0])["models"]
    assert 0 < measured["matrices_with_ranges"] <= count
    assert json.loads(said("eval", out, "--text", text, "--json")[0])["models"][0]["matrices_with_ranges"] is None
