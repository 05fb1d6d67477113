"""Tests of a file once more, in a process of its own: with the instructions of another machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from fourcc.kernels.simd.target import TARGETS, runs_here, target
from tests.kernels.short_products import ROOT, environment

OTHERS = [each.name for each in TARGETS if runs_here(each) and each.name != target().name]
on_every_other_target = pytest.mark.parametrize("name", OTHERS)


def passes(file: str | Path, name: str, tests: str = "") -> None:
    """Runs a file's tests for a target.

    Args:
        file: of tests.
        name: of the target.
        tests: which of them, as ``pytest -k`` takes it; all where nothing is said.

    Raises:
        AssertionError: one fails, or there is none; with all that pytest says.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", str(file), "-k", tests]
    done = subprocess.run(
        command, env=environment(FOURCC_SIMD=name), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
