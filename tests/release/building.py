"""Builds what would be published, installs it where nothing else is, and tries it there."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.release import facts
from tests.release.checks import git

PAGE = "Q4_0"  # a format whose page is asked for


def exported(root: Path, folder: Path, address: str) -> Path:
    """A copy of the last commit, whose README leads from anywhere to its files."""
    archive, tree = folder / "tree.tar", folder / "tree"
    git(root, "archive", "--format=tar", f"--output={archive}", "HEAD")
    with tarfile.open(archive) as tar:
        tar.extractall(tree, filter="tar")  # the links to formats, kernels and cli included
    page, version = tree / "README.md", str(facts.versions(tree)["fourcc/__init__.py"])
    text = page.read_text(encoding="utf-8")
    page.write_text(facts.with_absolute_links(text, address, version), encoding="utf-8", newline="\n")
    return tree


def built(tree: Path, out: Path, moment: str) -> list[Path]:
    """The sdist, and the wheel that is built from it; both are the same for the same commit.

    Args:
        tree: from `exported`.
        out: the folder to write.
        moment: of the commit, in seconds since 1970; files in the archives have it.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": moment}
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(tree)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return sorted(out.glob("*.whl")) + sorted(out.glob("*.tar.gz"))


def checked(files: list[Path]) -> None:
    """Checks the metadata as an index would. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], check=True)


def tried(file: Path, version: str) -> list[str]:
    """Installs a file into a fresh environment, and tries it there: `fourcc example`, and what that says to try next.

    Returns:
        The commands that were run.

    Raises:
        CalledProcessError: one of them fails.
        ValueError: it is another version.
    """
    with tempfile.TemporaryDirectory(prefix="fourcc-release-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        scripts = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", str(file)], check=True)
        said = _run(scripts, folder, "fourcc --version")
        if said.split() != ["fourcc", version]:
            raise ValueError(f"{file.name} says that it is {said!r}, expected {version}")
        commands = json.loads(_run(scripts, folder, "fourcc example --json"))["next"]
        commands += ["fourcc verify example/model.bin", f"fourcc formats {PAGE} --page"]
        for command in commands:
            _run(scripts, folder, command)
        return ["fourcc --version", "fourcc example --json", *commands]


def _run(scripts: Path, folder: Path, command: str) -> str:
    words = shlex.split(command)
    done = subprocess.run([scripts / words[0], *words[1:]], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def digest(file: Path) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
