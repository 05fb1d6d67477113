"""Calibrating, measuring and evaluating on the workers of an executor gives the bytes of one machine."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.calibration.partial_file import OffsetFile, WindowStates
from fourcc.cluster.connection import connected
from fourcc.compute import target_name
from fourcc.errors import ClusterError, UsageError
from fourcc.kernels.simd.target import target
from fourcc.models import window_batches
from fourcc.models.model import ActivationMode
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
MODEL, TOKENIZER, TEXT = FOLDER / "tiny.bin", FOLDER / "tiny_tokenizer.bin", FOLDER / "heldout.txt"


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    """Two processes, which open what they need themselves."""
    with ProcessPoolExecutor(2, get_context("fork")) as executor:
        yield executor


@pytest.fixture
def in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are small."""
    monkeypatch.setattr(window_batches, "LEAST_TOKENS", 60)


@pytest.mark.parametrize("hessian", [False, True])
def test_calibrating_on_processes(tmp_path: Path, processes: Executor, in_batches: None, hessian: bool) -> None:
    """The file has the same bytes."""
    asked = {"tokens": 500, "documents": True, "tokenizer": TOKENIZER, "hessian": hessian}
    fourcc.calibrate(MODEL, TEXT, tmp_path / "here", threads=1, **asked)
    fourcc.calibrate(MODEL, TEXT, tmp_path / "there", executor=processes, **asked)
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"here", "there"}


def test_calibrating_on_threads_of_an_executor(tmp_path: Path, in_batches: None) -> None:
    """Each thread has activations of its own."""
    asked = {"tokens": 300, "documents": True, "tokenizer": TOKENIZER}
    fourcc.calibrate(MODEL, TEXT, tmp_path / "here", threads=1, **asked)
    with ThreadPoolExecutor(3) as executor:
        fourcc.calibrate(MODEL, TEXT, tmp_path / "there", executor=executor, **asked)
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_a_task_that_outlives_its_work_writes_nothing(tmp_path: Path) -> None:
    """A worker that was lost for the scheduler alone may go on when the file is a calibration already."""
    path, marker = tmp_path / "m.calib.part", tmp_path / "marker"
    path.write_bytes(b"calibration")
    marker.touch()
    with OffsetFile.at(path, marker) as file:
        states = WindowStates(file, 4096, (2, 1))
        states.put_after(0, 0, np.ones((1, 1), np.float32))
        length = path.stat().st_size
        marker.unlink()
        with pytest.raises(ClusterError, match="the work was ended while a worker was at it"):
            states.put_after(1, 1, np.ones((1, 1), np.float32))
    assert path.stat().st_size == length


@pytest.mark.parametrize("more", [{}, {"direct": True, "group": "q+k+v"}])
def test_measuring_on_processes(tmp_path: Path, processes: Executor, more: dict[str, Any]) -> None:
    """The file of costs has the same bytes."""
    asked = {"tokens": 40, "options": "Q4_0,Q8_0,Q4_Z:group=32", "tokenizer": TOKENIZER, **more}
    fourcc.measure(MODEL, TEXT, tmp_path / "here", threads=1, **asked)
    fourcc.measure(MODEL, TEXT, tmp_path / "there", executor=processes, **asked)
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"here", "there"}


def test_measuring_with_a_calibration_on_processes(tmp_path: Path, processes: Executor) -> None:
    """Workers read it themselves."""
    known = tmp_path / "calib"
    fourcc.calibrate(MODEL, TEXT, known, tokens=300, hessian=True, tokenizer=TOKENIZER)
    asked = {"tokens": 40, "options": "Q4_0", "tokenizer": TOKENIZER, "calibration": known, "feedback": "gptq"}
    here = fourcc.measure(MODEL, TEXT, threads=1, **asked)
    assert fourcc.measure(MODEL, TEXT, executor=processes, **asked).dumps() == here.dumps()


def test_times_are_not_taken_on_workers(processes: Executor) -> None:
    with pytest.raises(UsageError, match="the time of products is that of one machine, not of many"):
        fourcc.measure(MODEL, TEXT, options="Q8_0", tokens=20, tokenizer=TOKENIZER, seconds=True, executor=processes)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model in 4 bits, with ranges of activations."""
    folder = tmp_path_factory.mktemp("small")
    known = fourcc.calibrate(MODEL, TEXT, folder / "calib", tokens=200, tokenizer=TOKENIZER)
    asked = {"tokenizer": TOKENIZER, "activations": "static", "calibration": known}
    fourcc.convert(MODEL, folder / "small.bin", format="Q4_0,F16", **asked)
    return folder / "small.bin"


@pytest.mark.thorough
def test_on_dask(small: Path, tmp_path: Path, in_batches: None) -> None:
    """As on processes: calibrating, measuring, evaluating."""
    pytest.importorskip("distributed", reason="dask is not installed")
    common = {"tokenizer": TOKENIZER, "tokens": 200}
    options, reference = {"options": "Q4_0,Q8_0"}, {"reference": MODEL}
    known = fourcc.calibrate(MODEL, TEXT, tmp_path / "here", hessian=True, **common)
    costs, here = fourcc.measure(MODEL, TEXT, **options, **common), fourcc.evaluate(small, TEXT, **reference, **common)
    with connected("local:2") as executor:
        there = {"executor": executor, **common}
        fourcc.calibrate(MODEL, TEXT, tmp_path / "there", hessian=True, **there)
        assert (tmp_path / "there").read_bytes() == known.path.read_bytes()
        assert fourcc.measure(MODEL, TEXT, **options, **there).dumps() == costs.dumps()
        assert fourcc.evaluate(small, TEXT, **reference, **there).records() == here.records()


@pytest.mark.parametrize("activations", ["dynamic", "static", "exact"])
def test_evaluating_on_processes(
    small: Path, processes: Executor, monkeypatch: pytest.MonkeyPatch, activations: ActivationMode
) -> None:
    """Every number of every token is the same."""
    monkeypatch.setattr(window_batches, "LEAST_TOKENS", 60)
    asked = {"reference": MODEL, "tokens": 300, "documents": True, "tokenizer": TOKENIZER, "activations": activations}
    here = fourcc.evaluate(small, TEXT, threads=1, **asked)
    there = fourcc.evaluate(small, TEXT, executor=processes, **asked)
    assert (there.exact, there.range_use, there.noise_floor) == (here.exact, here.range_use, here.noise_floor)
    assert there.records() == here.records()
    for name in ("losses", "divergences", "agreements"):
        np.testing.assert_array_equal(
            np.concatenate(getattr(there.scores, name)), np.concatenate(getattr(here.scores, name))
        )


def test_evaluating_without_a_reference_on_processes(small: Path, processes: Executor) -> None:
    here = fourcc.evaluate(small, TEXT, tokens=100, threads=1)
    assert fourcc.evaluate(small, TEXT, tokens=100, executor=processes).records() == here.records()


def another_target() -> None:
    """Gives a process another SIMD target, as another machine may have it."""
    os.environ["FOURCC_SIMD"] = "avx2" if target_name() == "avx512" else "generic"
    target.cache_clear()


def test_workers_of_another_simd_target_are_refused(tmp_path: Path) -> None:
    """Their sums would differ in the last digits."""
    with ProcessPoolExecutor(1, get_context("fork"), another_target) as executor:
        with pytest.raises(ClusterError, match="a worker has another SIMD target: found"):
            fourcc.calibrate(MODEL, TEXT, tmp_path / "calib", tokens=100, tokenizer=TOKENIZER, executor=executor)
        with pytest.raises(ClusterError, match="a worker has another SIMD target"):
            fourcc.measure(MODEL, TEXT, tokens=20, options="Q8_0", tokenizer=TOKENIZER, executor=executor)
        with pytest.raises(ClusterError, match="a worker has another SIMD target"):
            fourcc.evaluate(MODEL, TEXT, tokens=20, tokenizer=TOKENIZER, executor=executor)
    assert list(tmp_path.iterdir()) == []
