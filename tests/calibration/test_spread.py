"""Calibrating, measuring and evaluating on the workers of an executor gives the bytes of one machine."""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import fourcc
from fourcc.calibration import batches
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
    monkeypatch.setattr(batches, "LEAST_TOKENS", 60)


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
