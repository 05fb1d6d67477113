"""Selection of tests: thorough ones run only if they are asked for, and a run never selects none in silence."""

import json
import os
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


# Commands, each with the names of the tests that it runs.
COMMANDS = {
    "folder": (["tests"], QUICK | {"test_two"}),
    "marked": (["-m", "thorough"], THOROUGH),
    "files": (["./tests/../tests/test_one.py", "tests/test_two.py"], QUICK | THOROUGH | {"test_two"}),
    "test": (["tests/test_one.py::test_valued[2]"], {"test_valued[2]"}),
}
SHARES = ("1/2", "2/2")

# All commands in one process, whose start takes longer than they do.
COLLECT = """
import json, sys
import pytest

class Recorder:
    def pytest_collection_finish(self, session):
        self.names = [item.name for item in session.items]

chosen = []
for arguments in json.loads(sys.argv[1]):
    recorder = Recorder()
    assert pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *arguments], [recorder]) == 0
    chosen.append(recorder.names)
print()
print(json.dumps(chosen))
"""


def test_what_a_command_runs(suite: Path) -> None:
    shares = [["tests", "-m", "", "--share", each] for each in SHARES]
    script = [sys.executable, "-c", COLLECT, json.dumps([*(arguments for arguments, _ in COMMANDS.values()), *shares])]
    done = subprocess.run(script, cwd=suite, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *chosen, first, second = map(set, json.loads(done.stdout.splitlines()[-1]))
    assert dict(zip(COMMANDS, chosen, strict=True)) == {name: expected for name, (_, expected) in COMMANDS.items()}
    assert first
    assert second
    assert first | second == QUICK | {"test_two"}
    assert not first & second


def test_commands_that_tests_start_keep_their_bytecode() -> None:
    """Each would compile all sources anew otherwise, where Python is told to write none."""
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


@pytest.mark.thorough
def test_workers_choose_as_one_process_does(suite: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-n", "1", "-q", "-p", "no:cacheprovider", "tests/test_one.py"]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    assert f"{len(QUICK | THOROUGH)} passed" in done.stdout, done.stdout
