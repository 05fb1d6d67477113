"""Whole models: what is written, who is compared, what is said when an engine cannot."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from fourcc.bench.models import run
from fourcc.bench.models.making import write_model
from fourcc.bench.models.run import ModelPlan, ModelResult
from fourcc.bench.models.shapes import SHAPES, named
from fourcc.bench.models.trial import OWN, ModelTrial, TrialOutcome, measured, run_trial
from fourcc.container.reader import ModelFile
from fourcc.errors import UsageError
from fourcc.models.model import Model

TINY = SHAPES["tiny"]
TINIES = ("tiny", "tiny-moe", "tiny-gemma")
PARAMETERS = {"15M": 15e6, "110M": 110e6, "1.1B": 1.1e9}
HAS_PEER = find_spec("llama_cpp") is not None


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes_are_what_the_name_says(name: str) -> None:
    """Counted with one embedding: those of llama2.c share it with the classifier."""
    shape = SHAPES[name]
    matrices = {each: size for each, size in shape.tensors() if len(size) == 2}
    count = sum(rows * cols for each, (rows, cols) in matrices.items() if each != "output" or name == "1.1B")
    assert count == pytest.approx(PARAMETERS[name], rel=0.05)


@pytest.mark.parametrize("name", TINIES)
def test_a_written_model_runs(tmp_path: Path, name: str) -> None:
    """It holds every tensor of its shape in the format that was asked for, and has room for the context."""
    path = write_model(tmp_path / "model.bin", SHAPES[name], "Q8_0", 48)
    with Model(path) as model:
        assert dict(SHAPES[name].tensors()) == {name: model[name].shape for name in model}
        assert {str(model[name].tag) for name in model} == {"Q8_0", "F32"}
        assert abs(float(model["layers.1.attention.wq"].decode().std()) - 0.02) < 0.001
        assert model.network().context == 48


def test_weights_do_not_depend_on_tiles(tmp_path: Path) -> None:
    """A tensor beyond the pool of random numbers goes round, whichever rows are asked for."""
    one, two = (write_model(tmp_path / name, TINY, "F32", 16) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with ModelFile(one) as model:
        assert not (model["layers.0.attention.wq"].decode() == model["layers.1.attention.wq"].decode()).all()


class Counting:
    """A runner that notes what it was given."""

    vocab = 50

    def __init__(self) -> None:
        self.calls: list[int] = []

    def reset(self) -> None:
        """A new text."""
        self.calls.append(0)

    def read(self, tokens: list[int]) -> None:
        """Some tokens."""
        assert all(0 <= token < self.vocab for token in tokens)
        self.calls.append(len(tokens))


def test_what_is_timed() -> None:
    """The first time does not count; tokens are read at once, then one by one, then with nothing before them."""
    runner = Counting()
    outcome = measured(ModelTrial(OWN, "", 1, 7, 2, 3), runner)
    assert runner.calls == [0, 7, 1, 1, 0, 1, 1] * 4
    assert [len(each) for each in (outcome.prompt, outcome.generated, outcome.fresh)] == [3, 3, 3]


def test_a_trial_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Times and memory come back."""
    path = write_model(tmp_path / "model.bin", TINY, "Q8_0", 12)
    outcome = run_trial(ModelTrial(OWN, str(path), 1, 8, 4, 1))
    assert min(*outcome.prompt, *outcome.generated, *outcome.fresh) > 0
    assert outcome.peak > path.stat().st_size


def test_an_engine_that_fails(tmp_path: Path) -> None:
    """Its last words are in the error."""
    missing = tmp_path / "none.bin"
    with pytest.raises(UsageError, match=r"none\.bin: fourcc cannot run the model.*No such file"):
        run_trial(ModelTrial(OWN, str(missing), 1, 8, 4, 1))


def outcomes(trial: ModelTrial) -> TrialOutcome:
    """The peer's plain attention is faster with a prompt, the fused one in generating; fourcc is at 4, 2 and 1 s."""
    prompt, generated = {OWN: (4.0, 2.0), "llama.cpp": (8.0, 4.0)}.get(trial.engine, (6.0, 5.0))
    return TrialOutcome((prompt, prompt), (generated, generated), (1.0, 1.0), 1000)


def compared(monkeypatch: pytest.MonkeyPatch, **given: bool) -> list[ModelResult]:
    """A run with made-up times."""
    monkeypatch.setattr(run, "run_trial", outcomes)
    monkeypatch.setattr(run, "absent", lambda *_: None)
    monkeypatch.setattr(run, "_files", lambda folder, *_: dict.fromkeys(run.ENGINES, folder))
    plan = ModelPlan((TINY,), ("Q8_0",), (2,), prompt=12, generated=4, rounds=1, **given)
    return run.run(plan, lambda *_: None)


def test_the_better_setting_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figure by figure."""
    own, peer = compared(monkeypatch, peers=True)
    assert own.rates == {"prompt": 3.0, "generated": 2.0, "fresh": 4.0}
    assert peer.rates == {"prompt": 2.0, "generated": 1.0, "fresh": 4.0}
    assert own.ratios == {"prompt": 1.5, "generated": 2.0, "fresh": 1.0}
    assert (peer.engine, peer.ratios, own.cache) == ("llama.cpp", {}, TINY.cache_bytes(16))


def test_a_busy_neighbour_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs while engines are measured, and no longer."""
    seen: list[object] = []

    class Process:
        def __init__(self, *_: object) -> None:
            seen.append("started")

        def kill(self) -> None:
            seen.append("killed")

        def wait(self) -> None:
            seen.append("gone")

    monkeypatch.setattr(run.subprocess, "Popen", Process)
    compared(monkeypatch, busy=True)
    assert seen == ["started", "killed", "gone"]


def test_a_peer_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported before anything is written."""
    monkeypatch.setattr(run, "absent", lambda *_: "llama_cpp not installed")
    with pytest.raises(UsageError, match=r"no peer to measure: llama_cpp not installed.*install .*llama-cpp-python"):
        run.run(ModelPlan((TINY,), ("Q8_0",), (1,), peers=True), lambda *_: None)


@pytest.mark.parametrize(("text", "says"), [("2B", "no such model"), (",", "the list is empty")])
def test_names_that_are_none(text: str, says: str) -> None:
    """The error lists what there is."""
    with pytest.raises(UsageError, match=says):
        named(text)


@pytest.mark.skipif(not HAS_PEER, reason="llama-cpp-python is not installed")
@pytest.mark.parametrize("name", TINIES)
def test_llama_cpp_runs_the_same_weights(name: str) -> None:
    """Both engines run, and fourcc has ratios."""
    plan = ModelPlan((SHAPES[name],), ("Q8_0",), (1,), prompt=8, generated=2, rounds=1, repeats=1, peers=True)
    own, peer = run.run(plan, lambda *_: None)
    assert set(own.ratios) == set(run.PHASES)
    assert peer.engine == run.PEER
