"""The plugins of the repository: each one's own tests pass, run as its author runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
TESTED = sorted(path.parent.name for path in PLUGINS.glob("*/test_*.py"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", TESTED)
def test_its_own_tests_pass(name: str, root: Path) -> None:
    """They run in the plugin's folder, with its package on the path."""
    path = os.pathsep.join([str(PLUGINS / name), str(root)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--rootdir", ".", "."],
        cwd=PLUGINS / name,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_there_are_some() -> None:
    assert {"fourcc-lc", "fourcc-tcq"} <= set(TESTED)


@pytest.mark.parametrize("name", TESTED)
def test_each_is_a_whole_package(name: str) -> None:
    """A package has a page, a README, an entry point and pinned bytes."""
    folder = PLUGINS / name
    assert '[project.entry-points."fourcc.formats.1"]' in (folder / "pyproject.toml").read_text()
    assert (folder / "README.md").is_file()
    assert len(list(folder.glob("[!R]*.md"))) == 1
    assert len(list(folder.glob("*/vectors/*.json"))) == 1
