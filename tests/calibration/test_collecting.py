"""Collected statistics, against a float64 forward pass; threads, merging, resuming."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.collecting import Collected, collect
from fourcc.calibration.collecting_plan import CollectingPlan, Work
from fourcc.calibration.hessians import HessianSums, mean_products
from fourcc.calibration.layer_batches import passes_of
from fourcc.calibration.layout import About
from fourcc.calibration.reading import open_calibration
from fourcc.errors import InputError, UsageError
from fourcc.execution import Execution
from fourcc.files.unfinished import PART
from fourcc.models import window_batches
from fourcc.models.staged import StagedNetwork
from fourcc.models.transformer import Transformer
from fourcc.models.weights import Inputs
from fourcc.models.windows import Window
from tests.running.test_staged import inputs
from tests.running.test_transformer import TOKENS, Case, case

WINDOWS = (Window(tuple(TOKENS[:40])), Window(tuple(TOKENS[40:300])), Window(tuple(TOKENS[7:8])))
READ = sum(len(window.tokens) for window in WINDOWS)


def work(windows: tuple[Window, ...] = WINDOWS, *, hessian: bool = True, merged: Calibration | None = None) -> Work:
    """The work of collecting from some windows."""
    before = 0 if merged is None else merged.tokens
    assert before is not None
    tokens = sum(len(window.tokens) for window in windows) + before
    texts = (CalibrationText("a.txt", "0" * 64), *(() if merged is None else merged.texts))
    return Work(About("12" * 16, texts, tokens, 400), windows, hessian, merged)


def network(model: Case, threads: int = 1) -> Transformer:
    """A model, ready to run."""
    return Transformer(model.architecture, model.quantized().get, threads=threads)


def collected(path: Path, asked: Work, threads: int = 1, model: Case | None = None) -> Calibration:
    """A calibration."""
    collect(network(model or case("grouped heads"), threads), asked, path)
    return open_calibration(path)


def seen(model: Case, windows: tuple[Window, ...]) -> dict[str, NDArray[np.float64]]:
    """The inputs of each matrix in all windows, in float64."""
    each = [inputs(model, list(window.tokens)) for window in windows]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


@pytest.mark.parametrize("kind", ["grouped heads", "untied"])
def test_statistics_are_those_of_the_inputs(tmp_path: Path, kind: str) -> None:
    """Sums, ranges, counts and Hessians of every matrix; each window is read by itself."""
    model = case(kind)
    found, wanted = collected(tmp_path / "model.calib", work(), model=model), seen(model, WINDOWS)
    assert (found.kind, found.model, found.tokens, found.context) == ("fourcc", "12" * 16, READ, 400)
    assert found.texts == (CalibrationText("a.txt", "0" * 64),)
    assert found.statistics.keys() == wanted.keys() == found.hessians
    for name, x in wanted.items():
        statistics, hessian = found.statistics[name], found.hessian(name)
        assert statistics.counts.tolist() == [READ]
        np.testing.assert_allclose(statistics.importance[0], (x * x).mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(statistics.minimum, x.min(axis=0)[None], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(statistics.maximum, x.max(axis=0)[None], rtol=1e-3, atol=1e-5)
        assert statistics.magnitudes is not None
        assert statistics.magnitudes.sum() == x.size
        assert hessian is not None
        np.testing.assert_array_equal(hessian, hessian.T)
        np.testing.assert_allclose(hessian, x.T @ x / READ, rtol=1e-4, atol=1e-4 * (x * x).mean())


def test_the_number_of_threads_does_not_show(tmp_path: Path) -> None:
    """In any byte of the file."""
    model = case("grouped heads", dim=128, hidden_dim=320, n_heads=8, n_kv_heads=4, head_dim=16)
    found = [
        collected(tmp_path / f"{threads}.calib", work(), threads, model).path.read_bytes() for threads in (1, 2, 3)
    ]
    assert found[0] == found[1] == found[2]


def test_without_hessians(tmp_path: Path) -> None:
    """The rest is the same."""
    small, large = collected(tmp_path / "a", work(hessian=False)), collected(tmp_path / "b", work())
    assert small.hessians == frozenset()
    assert small.hessian("tok_embeddings") is None
    for name, statistics in small.statistics.items():
        np.testing.assert_array_equal(statistics.squares, large.statistics[name].squares)


def test_merged_is_as_if_read_at_once(tmp_path: Path) -> None:
    """But for roundings; both texts are named."""
    first = collected(tmp_path / "first", work(WINDOWS[:1]))
    both = collected(tmp_path / "both", work(WINDOWS[1:], merged=first))
    whole = collected(tmp_path / "whole", work())
    assert (both.tokens, len(both.texts)) == (whole.tokens, 2)
    for name, wanted in whole.statistics.items():
        found, hessian, its = both.statistics[name], both.hessian(name), whole.hessian(name)
        assert hessian is not None
        assert its is not None
        np.testing.assert_allclose(found.squares, wanted.squares, rtol=1e-6)
        np.testing.assert_allclose(hessian, its, rtol=1e-5, atol=1e-7)
        for part in ("counts", "minimum", "maximum", "magnitudes"):
            np.testing.assert_array_equal(getattr(found, part), getattr(wanted, part))


def test_what_cannot_be_merged(tmp_path: Path) -> None:
    """A calibration without Hessians, or of other matrices; nor are Hessians dropped."""
    rich = collected(tmp_path / "rich", work())
    with pytest.raises(UsageError, match=r"rich, tensor 'layers\.0\.attention\.wq': the calibration to merge has Hes"):
        collected(tmp_path / "both", work(hessian=False, merged=rich))
    first = collected(tmp_path / "first", work(hessian=False))
    with pytest.raises(
        UsageError, match=r"first, tensor 'layers\.0\.attention\.wq': the calibration to merge has no H"
    ):
        collected(tmp_path / "both", work(merged=first))
    narrow = collected(tmp_path / "narrow", work(hessian=False), model=case("grouped heads", dim=24))
    with pytest.raises(UsageError, match=r"cannot be merged: found those of \(1, 24\), expected those of \(1, 48\)"):
        collected(tmp_path / "both", work(hessian=False, merged=narrow))
    lacking = attrs.evolve(first, statistics={})
    with pytest.raises(UsageError, match=r"cannot be merged: found none"):
        collected(tmp_path / "both", work(hessian=False, merged=lacking))
    assert [path.name for path in tmp_path.iterdir() if PART in path.name] == []


def test_numbers_that_are_none(tmp_path: Path) -> None:
    """The error names the matrix and the window; nothing is left behind."""
    model = case("grouped heads")
    model.weights["layers.0.attention_norm"][0] = 3e38
    model.weights["tok_embeddings"][:, 0] = 0
    model.weights["tok_embeddings"][TOKENS[7], 0] = 9
    with pytest.raises(InputError, match=r"wq': the inputs of this matrix are not finite: found inf in window 3"):
        collected(tmp_path / "model.calib", work((Window((1, 2)), Window((3,)), WINDOWS[2])), model=model)
    assert list(tmp_path.iterdir()) == []


class StoppedError(BaseException):
    """Stands for an interrupt."""


@pytest.fixture
def in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every window is a batch."""
    monkeypatch.setattr(window_batches, "LEAST_TOKENS", 1)


def stopping(calls: int) -> Callable[[str, int, int], None]:
    """Progress that ends the work at a call."""
    counted: list[str] = []

    def stop(name: str, _: int, __: int) -> None:
        counted.append(name)
        if len(counted) == calls:
            raise StoppedError

    return stop


def interrupted(target: Path, calls: int, asked: Work | None = None) -> None:
    """Work that is interrupted at the end of a window."""
    with pytest.raises(StoppedError):
        collect(network(case("grouped heads")), asked or work(), target, Execution(progress=stopping(calls)))


def test_batches_follow_from_the_windows(in_batches: None) -> None:
    """Every window is in one of them, in order, with the place of its tokens."""
    found = window_batches.batches_of(WINDOWS)
    assert [(each.number, each.token, each.tokens) for each in found] == [(0, 0, 40), (1, 40, 260), (2, 300, 1)]
    many = [Window((1,) * size) for size in (5, 300, 1, 1, 80, 90, 2000, 1)]
    found = window_batches.batches_of(many)
    assert [window for each in found for window in each.windows] == many
    assert len(window_batches.batches_of([Window((1,) * 90)] * 100)) == window_batches.MOST


def test_the_bytes_do_not_depend_on_how_batches_are_run(tmp_path: Path, in_batches: None) -> None:
    """Sums of three batches are those of the windows; the Hessians of a layer may be collected in runs of their own."""
    whole = collected(tmp_path / "whole", work())
    again = collected(tmp_path / "again", work(), threads=3)
    assert whole.path.read_bytes() == again.path.read_bytes()
    for name, x in seen(case("grouped heads"), WINDOWS).items():
        np.testing.assert_allclose(whole.statistics[name].importance[0], (x * x).mean(axis=0), rtol=1e-4)
        hessian = whole.hessian(name)
        assert hessian is not None
        np.testing.assert_allclose(hessian, x.T @ x / READ, rtol=1e-4, atol=1e-4 * (x * x).mean())


@pytest.mark.parametrize("calls", range(1, 10))
def test_an_interrupted_run_is_gone_on_with(tmp_path: Path, calls: int, in_batches: None) -> None:
    """The file has the bytes of a run that was not interrupted, and at most one batch is run again."""
    wanted = collected(tmp_path / "wanted", work()).path.read_bytes()
    target = tmp_path / "model.calib"
    interrupted(target, calls)
    left = {"model.calib.part", "model.calib.journal"} if calls > 1 else set()
    assert {path.name for path in tmp_path.iterdir()} == {"wanted"} | left
    told: list[tuple[str, int, int]] = []
    how = Execution(resume=True, progress=lambda *call: told.append(call))
    before = collect(network(case("grouped heads")), work(), target, how)
    assert before == Collected(*divmod(calls - 1, 3))
    assert len(told) == 9 - (calls - 1)
    assert told[-1][1] == told[-1][2]
    assert target.read_bytes() == wanted
    assert {path.name for path in tmp_path.iterdir()} == {"wanted", "model.calib"}


def test_unfinished_work_is_neither_replaced_nor_mixed_up(tmp_path: Path, in_batches: None) -> None:
    """A plain run is refused, with both ways on; other work is refused with what differs."""
    target = tmp_path / "model.calib"
    interrupted(target, 5)
    with pytest.raises(UsageError, match=r"unfinished work lies .*: 4 of 9 steps are done.*--resume goes.*--force"):
        collect(network(case("grouped heads")), work(), target)
    other = work(WINDOWS[::-1], hessian=False)
    with pytest.raises(UsageError, match=r"windows is .*, not .*; Hessians is true, not false"):
        collect(network(case("grouped heads")), other, target, Execution(resume=True))
    assert collect(network(case("grouped heads")), other, target, Execution(anew=True)) == Collected()
    assert target.read_bytes() == collected(tmp_path / "wanted", other).path.read_bytes()


@pytest.mark.parametrize("message", ["sums of layer 1 are not", "states before layer 1 are not"])
def test_damaged_unfinished_work_is_refused(tmp_path: Path, message: str, in_batches: None) -> None:
    """Bytes that are not those that the journal knows."""
    target = tmp_path / "model.calib"
    interrupted(target, 6)
    part = target.with_name(target.name + PART)
    data = bytearray(part.read_bytes())
    plan = CollectingPlan.of(StagedNetwork(network(case("grouped heads"))), work())
    behind = plan.layout.nbytes + 8 * READ * plan.shape[1]
    sums = behind + (4 % 2) * plan.slot  # of layer 1 after its second batch
    states = behind - 4 * plan.shape[1]  # the last of slot 1: those before layer 1
    data[sums if "sums" in message else states] ^= 1
    part.write_bytes(data)
    with pytest.raises(InputError, match=f"{message} those that were kept"):
        collect(network(case("grouped heads")), work(), target, Execution(resume=True))


KILLED = """
import os, signal
from pathlib import Path
from fourcc.models import window_batches
from fourcc.execution import Execution
from tests.calibration.test_collecting import case, collect, network, work

def kill(name, done, total):
    if done > 301 + 40:
        os.kill(os.getpid(), signal.SIGKILL)

window_batches.LEAST_TOKENS = 1
collect(network(case("grouped heads")), work(), Path("model.calib"), Execution(progress=kill))
"""


def test_a_killed_run_is_gone_on_with(tmp_path: Path, root: Path, in_batches: None) -> None:
    """Whatever kills it."""
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=tmp_path, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert ended.returncode == -signal.SIGKILL
    assert {file.name for file in tmp_path.iterdir()} == {"model.calib.part", "model.calib.journal"}
    target = tmp_path / "model.calib"
    assert collect(network(case("grouped heads")), work(), target, Execution(resume=True)) == Collected(1, 1)
    assert target.read_bytes() == collected(tmp_path / "wanted", work()).path.read_bytes()


@pytest.mark.parametrize("tokens", [1, 16, 33, 256])
@pytest.mark.parametrize("cols", [1, 31, 96])
def test_sums_of_products(tokens: int, cols: int) -> None:
    """Sums of several batches, against float64; the same for any number of threads."""
    batches = np.random.default_rng(1).standard_normal((3, tokens, cols)).astype(np.float32)
    found = []
    for threads in (1, 2, 5):
        sums = HessianSums(cols, threads)
        for x in batches:
            sums.add(x)
        found.append(mean_products(sums.sums, 3 * tokens))
    x = batches.reshape(-1, cols).astype(np.float64)
    np.testing.assert_allclose(found[0], x.T @ x / len(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found[0], found[0].T)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


# -- under a cap on memory


def test_hessians_in_several_runs_of_a_layer_are_the_same(tmp_path: Path, in_batches: None) -> None:
    """As few runs as the room allows; each has the statistics of what it watches."""
    wanted = collected(tmp_path / "wanted", work()).path.read_bytes()
    collect(network(case("grouped heads")), work(), tmp_path / "capped", room=lambda _: 12 * 128**2)
    assert (tmp_path / "capped").read_bytes() == wanted


def test_runs_of_a_layer_are_as_few_as_fit() -> None:
    inputs = [Inputs((name,), cols) for name, cols in (("a", 10), ("b", 10), ("c", 20), ("d", 5))]
    every = frozenset("abd")
    assert [len(some) for some in passes_of(inputs, every, None)] == [4]
    assert [[each.names[0] for each in some] for some in passes_of(inputs, every, 1200)] == [["c", "a"], ["b"], ["d"]]
    assert [[each.names[0] for each in some] for some in passes_of(inputs, every, 2100)] == [["c", "a", "b"], ["d"]]


def test_roles_without_hessians(tmp_path: Path) -> None:
    """Inputs that matrices share have one as long as one of these wants it; a glob that leaves out none is refused."""
    known = collected(tmp_path / "some", attrs.evolve(work(), without=("ffn.down", "attention.q")))
    assert "layers.0.feed_forward.w2" not in known.hessians
    assert {"layers.0.attention.wq", "layers.0.attention.wo", "layers.1.feed_forward.w1"} <= known.hessians
    with pytest.raises(UsageError, match=r"--no-feedback-for 'ffn.up.*' leaves out no Hessian, expected attention.k, "):
        collected(tmp_path / "none", attrs.evolve(work(), without=("ffn.up.*",)))
    with pytest.raises(UsageError, match=r"leaves out no Hessian, expected Hessians: add --hessian"):
        collected(tmp_path / "none", attrs.evolve(work(hessian=False), without=("ffn.up",)))
