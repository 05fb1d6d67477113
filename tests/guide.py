"""Keeps `specs/writing-a-format.md` true: does what it says, from an empty folder, and compares what is printed.

    python tests/guide.py            do it all, fail where the output differs
    python tests/guide.py --update   do it all, write the real output into the guide

A ``py`` block whose first line is a comment with a path is written to that file. An ``sh`` block is run, and must not
fail. A ``console`` block holds lines ``$ command``, each followed by the standard output that it must print. All
happens in one folder after the other, as blocks change it, with an environment that has fourcc, and into which packages
can be installed without a network. The table of checks is the kit's.
"""

import difflib
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from fourcc.testing import CHECKS

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "specs" / "writing-a-format.md"
BLOCK = re.compile(r"^```(console|sh|py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.py)\n")
TABLE = re.compile(r"(<!-- checks: begin -->\n).*(\n<!-- checks: end -->)", re.DOTALL)
COMMANDS = ("fourcc", "pip", "pytest")
PATIENCE = 300  # seconds for a block


def environment(folder: Path) -> dict[str, str]:
    """A virtual environment that sees what is installed here, with commands of its own; pip needs no network in it."""
    venv.create(folder, with_pip=False, symlinks=True)
    binaries = folder / "bin"
    python = binaries / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.check_output([python, "-c", code], text=True).strip())
    (packages / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name in COMMANDS:
        script = binaries / name
        script.write_text(f'#!/bin/sh\nexec "{python}" -m {name} "$@"\n')
        script.chmod(0o755)
    (binaries / "ruff").symlink_to(Path(sysconfig.get_path("scripts")) / "ruff")
    kept = {name: text for name, text in os.environ.items() if name not in {"PYTHONPATH", "FOURCC_PLUGINS"}}
    return {
        **kept,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder),
        "FOURCC": str(ROOT),
        "COLUMNS": "120",
        "PIP_NO_BUILD_ISOLATION": "0",  # which switches it off
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


class Replay:
    """Does what the guide says.

    Args:
        folder: to begin in, empty.
        env: the environment.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._env = env

    def blocks(self, text: str) -> Iterator[tuple[str, str]]:
        """Each ``console`` block as it stands, and as it should stand. Raises CalledProcessError where one fails."""
        for match in BLOCK.finditer(text):
            kind, body = match.groups()
            if kind == "console":
                commands = re.findall(r"^\$ ((?:.*\\\n)*.*)", body, re.MULTILINE)
                outputs = [f"$ {command}\n{self._printed(command)}" for command in commands]
                yield match[0], f"```console\n{''.join(outputs)}```"
            elif kind == "sh":
                self._run(body)
            elif (named := FILE.match(body)) is not None:
                (self._folder / named[1]).write_text(body[named.end() :])

    def _printed(self, command: str) -> str:
        return self._bash(command, stderr=None).stdout

    def _run(self, body: str) -> None:
        """All lines of a block; the folder that they end in is the next one's."""
        script = f"set -euo pipefail\n{body}\npwd > {self._env['VIRTUAL_ENV']}/here\n"
        done = self._bash(script, stderr=subprocess.PIPE)
        if done.returncode:
            raise RuntimeError(f"{body}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
        self._folder = Path((Path(self._env["VIRTUAL_ENV"]) / "here").read_text().strip())

    def _bash(self, script: str, stderr: int | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


def with_checks(text: str) -> str:
    """The guide with the kit's checks."""
    rows = [f"| {check.name} | {check.promise} |" for check in CHECKS]
    table = "\n".join(["| check | what is promised |", "|---|---|", *rows])
    return TABLE.sub(lambda marks: f"{marks[1]}{table}{marks[2]}", text)


def corrected(text: str) -> str:
    """The guide with the real output of every command. Raises RuntimeError where a command fails."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "empty").mkdir()
        env = environment(folder / "environment")
        for shown, real in Replay(folder / "empty", env).blocks(text):
            text = text.replace(shown, real, 1)
    return text


def difference(shown: str, real: str) -> str:
    """The places where the guide shows something else than what happens."""
    lines = (text.splitlines(keepends=True) for text in (shown, real))
    return "".join(difflib.unified_diff(*lines, "shown", "real"))


def main() -> int:
    """Checks or updates."""
    text = GUIDE.read_text()
    real = corrected(with_checks(text))
    if "--update" in sys.argv[1:]:
        GUIDE.write_text(real)
        return 0
    sys.stdout.write(difference(text, real))
    return int(real != text)


if __name__ == "__main__":
    sys.exit(main())
