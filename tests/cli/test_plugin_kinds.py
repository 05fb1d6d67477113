"""`fourcc plugin new --like KIND`: each kind is clean and keeps its promises, also after an author's first edit."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from fourcc.scaffold import STARTING_POINTS, StartingPoint
from fourcc.testing import trials
from tests.cli.making import Runner

EDITS = {"WIDTH = 64": "WIDTH = 32", "BITS = 4": "BITS = 3"}
QUICK = {"declaration", "declared size", "nominal bits", "zeros", "stored bytes"}


def written(run: Runner, folder: Path, kind: str) -> Path:
    """A package of a kind."""
    assert run("plugin", "new", "fourcc-tern", "--tag", "Tern", "--like", kind, "-o", folder).code == 0
    return folder


def own_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The package's own tests, run as its author runs them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *arguments]
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", STARTING_POINTS, ids=lambda kind: kind.name)
def test_each_kind_is_clean(run: Runner, tmp_path: Path, kind: StartingPoint) -> None:
    """Ruff's own rules hold; no template's field is left."""
    folder = written(run, tmp_path / "x", kind.name)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert not [path for path in folder.rglob("*.*") if path.is_file() and "$" in path.read_text()]
    assert kind.shows in (folder / "README.md").read_text()


@pytest.mark.parametrize("kind", STARTING_POINTS, ids=lambda kind: kind.name)
def test_each_kind_works(run: Runner, tmp_path: Path, kind: StartingPoint) -> None:
    folder = written(run, tmp_path / "x", kind.name) / "fourcc_tern"
    fmt = runpy.run_path(str(folder / "tern.py"))["TERN"]
    for trial in trials(fmt, vectors=folder / "vectors" / "tern.json"):
        if trial.check.name in QUICK:
            trial()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", STARTING_POINTS, ids=lambda kind: kind.name)
def test_each_kind_passes_the_kit(run: Runner, tmp_path: Path, kind: StartingPoint) -> None:
    done = own_tests(written(run, tmp_path / "x", kind.name))
    assert done.returncode == 0, done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("kind", STARTING_POINTS, ids=lambda kind: kind.name)
def test_a_first_edit_breaks_the_stored_bytes_alone(run: Runner, tmp_path: Path, kind: StartingPoint) -> None:
    """Another width, another number of levels."""
    folder = written(run, tmp_path / "x", kind.name)
    module = folder / "fourcc_tern" / "tern.py"
    text = module.read_text()
    for before, after in EDITS.items():
        assert before in text
        text = text.replace(before, after)
    module.write_text(text)
    test = folder / "tests" / "test_tern.py"
    test.write_text(test.read_text().replace("LEAST = 18", "LEAST = 11"))
    done = own_tests(folder)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1, done.stdout
    assert "stored bytes" in failed[0]
    assert "fourcc plugin pin Tern" in done.stdout


def test_an_unknown_kind(run: Runner, tmp_path: Path) -> None:
    """Exit code 2, nothing is written."""
    ended = run("plugin", "new", "fourcc-tern", "--tag", "Tern", "--like", "nix", "-o", tmp_path / "x")
    assert ended.code == 2
    assert "no kind of format is called 'nix'. There are: fused, codebook" in ended.err
    assert not (tmp_path / "x").exists()
