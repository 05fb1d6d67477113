"""Selection of tests: thorough ones run only if they are asked for, and a run never selects none in silence."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_plain(): pass

@pytest.mark.thorough
def test_marked(): pass

@pytest.mark.parametrize("value", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_valued(value): pass
"""
QUICK = {"test_plain", "test_valued[1]"}
THOROUGH = {"test_marked", "test_valued[2]"}


@pytest.fixture
def suite(root: Path, tmp_path: Path) -> Path:
    """A folder with this suite's configuration, and two files of tests."""
    for path in (root / "pyproject.toml", root / "tests" / "conftest.py"):
        shutil.copy(path, tmp_path)
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_one.py").write_text(TESTS)
    (folder / "test_two.py").write_text("def test_two(): pass\n")
    return tmp_path


def chosen(suite: Path, *arguments: str) -> set[str]:
    """Names of the tests that such a command runs."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.rpartition("::")[2] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tests"], QUICK | {"test_two"}),
        (["-m", "thorough"], THOROUGH),
        (["./tests/../tests/test_one.py", "tests/test_two.py"], QUICK | THOROUGH | {"test_two"}),
        (["tests/test_one.py::test_valued[2]"], {"test_valued[2]"}),
    ],
    ids=["folder", "marked", "files", "test"],
)
def test_what_a_command_runs(suite: Path, arguments: list[str], expected: set[str]) -> None:
    assert chosen(suite, *arguments) == expected


def test_workers_choose_as_one_process_does(suite: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-n", "1", "-q", "-p", "no:cacheprovider", "tests/test_one.py"]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    assert f"{len(QUICK | THOROUGH)} passed" in done.stdout, done.stdout
