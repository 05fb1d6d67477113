"""The plugins of the repository: each one's own tests pass, run as its author runs them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fourcc.plugins.entries import EXPORTERS, FORMATS, SOURCES

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
    assert {"fourcc-six", "fourcc-tcq", "fourcc-llmc", "fourcc-nbits"} <= set(TESTED)


@pytest.mark.parametrize("name", TESTED)
def test_each_is_a_whole_package(name: str) -> None:
    """A package has a README and an entry point; every format has stored bytes."""
    folder = PLUGINS / name
    groups = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    assert set(groups) <= {FORMATS, SOURCES, EXPORTERS}
    assert (folder / "README.md").is_file()
    assert len(list(folder.glob("*/vectors/*.json"))) == len(groups.get(FORMATS, ()))
