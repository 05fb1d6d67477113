"""Tests of a file once more, in a process of its own: with the instructions of another machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.short_products import ROOT, environment

# The target that every processor is. `nox -s targets` takes each that this one can be; products are compared on all of
# them by `test_targets`.
on_any_processor = pytest.mark.parametrize("name", ["portable"])


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
