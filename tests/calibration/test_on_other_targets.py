"""Calibrations on every target that this machine can be: they differ by no more than roundings."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fourcc.kernels.simd.target import TARGETS, runs_here
from tests.kernels.short_products import ROOT, environment

BEST, *OTHERS = [target.name for target in TARGETS if runs_here(target)]

pytestmark = pytest.mark.thorough


def importance(path: Path, name: str) -> dict[str, np.ndarray]:
    """Importance, and Hessians, as a process for a target gives them."""
    command = [sys.executable, "-m", "tests.calibration.measure_importance", str(path)]
    done = subprocess.run(
        command, env=environment(FOURCC_SIMD=name), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(path) as found:
        return dict(found)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The best target's."""
    return importance(tmp_path_factory.mktemp("best") / "importance.npz", BEST)


@pytest.mark.parametrize("name", OTHERS)
def test_importance_is_the_same(wanted: dict[str, np.ndarray], name: str, tmp_path: Path) -> None:
    """To 1e-4, and Hessians to as much of their largest entry."""
    found = importance(tmp_path / "importance.npz", name)
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        tolerance = {"rtol": 0.0, "atol": 1e-4 * np.abs(values).max()} if key.startswith("H ") else {"rtol": 1e-4}
        np.testing.assert_allclose(found[key], values, **tolerance, err_msg=key)
