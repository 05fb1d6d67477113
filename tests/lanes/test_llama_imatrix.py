"""Calibrations beside those of llama.cpp's own tools: where FOURCC_LLAMA_CPP names their folder."""

import os
from pathlib import Path

import gguf
import numpy as np
import pytest

from fourcc.calibration.reading import open_calibration
from tests.calibration.comparing import differs
from tests.lanes import llama_imatrix as lane

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif("FOURCC_LLAMA_CPP" not in os.environ, reason="FOURCC_LLAMA_CPP names no folder of llama.cpp"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model."""
    return tmp_path_factory.mktemp("imatrix")


@pytest.fixture(scope="module")
def models(folder: Path) -> tuple[Path, Path]:
    """The model, as model.bin and as GGUF."""
    return lane.exported(folder)


@pytest.mark.parametrize("kind", lane.KINDS)
def test_both_see_the_same_importance(models: tuple[Path, Path], folder: Path, kind: str) -> None:
    """On the same tokens."""
    theirs = open_calibration(lane.imatrix(models[1], kind, folder))
    assert differs(theirs, lane.ours(models[0], folder)) < 1e-5


def test_quantize_takes_our_file(models: tuple[Path, Path], folder: Path) -> None:
    """It finds an entry for each matrix, and other codes come out than without."""
    calibration = lane.ours(models[0], folder)
    with_ours, without = folder / "with.gguf", folder / "without.gguf"
    told = lane.run("llama-quantize", "--imatrix", calibration.path, models[1], with_ours, "Q4_1", "1", folder=folder)
    lane.run("llama-quantize", models[1], without, "Q4_1", "1", folder=folder)
    assert f"have {len(calibration.statistics)} importance matrix entries" in told
    found, plain = (gguf.GGUFReader(path) for path in (with_ours, without))
    others = {tensor.name: tensor.data for tensor in plain.tensors}
    changed = [tensor.name for tensor in found.tensors if (tensor.data != others[tensor.name]).any()]
    assert "blk.0.attn_q.weight" in changed
    assert all(np.array_equal(t.data, others[t.name]) for t in found.tensors if "norm" in t.name)
