"""Does what a page says, in a folder of its own, and tells how the page should read."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pages.blocks import Block, blocks
from tests.pages.surroundings import environment, furnish

PATIENCE = 300  # seconds for a command


class Replay:
    """Runs the blocks of one page, one after the other.

    Args:
        folder: where the first one runs.
        env: the environment; `VIRTUAL_ENV` is a folder that may be written to.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._env = env
        self._printed: str | None = None  # by the script that the block before was

    def bodies(self, page: str) -> Iterator[tuple[Block, str]]:
        """Each block, with the body that it should have. Raises RuntimeError where a command fails that must not."""
        for block in blocks(page):
            yield block, self._body(block)

    def _body(self, block: Block) -> str:
        printed, self._printed = self._printed, None
        if block.kind == "console":
            return "".join(f"$ {command}\n{self._shown(command)}" for command in block.commands)
        if block.kind == "sh":
            self._script(block.body)
        elif block.kind == "python":
            self._printed = self._checked(["python", "-c", block.body], block.body)
        elif block.kind == "text" and printed is not None and block.adjacent:
            return printed
        elif block.file is not None:
            name, text = block.file
            (self._folder / name).write_text(text)
        return block.body

    def _shown(self, command: str) -> str:
        """The standard output of a command; what fails shows something."""
        done = self._run(["bash", "-c", command])
        if done.returncode and not done.stdout:
            raise RuntimeError(f"{command}\n{done.stderr}")
        return done.stdout

    def _script(self, body: str) -> None:
        """All lines of a block; the folder that they end in is the next one's."""
        here = Path(self._env["VIRTUAL_ENV"]) / "here"
        self._checked(["bash", "-c", f"set -euo pipefail\n{body}\npwd > {here}\n"], body)
        self._folder = Path(here.read_text().strip())

    def _checked(self, command: list[str], body: str) -> str:
        done = self._run(command)
        if done.returncode:
            raise RuntimeError(f"{body}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


def corrected(page: str, example: Path) -> str:
    """The page with the real output of every command. Raises RuntimeError where one fails that must not.

    Args:
        page: its text.
        example: what `fourcc example` made.
    """
    with TemporaryDirectory() as scratch:
        work = Path(os.path.realpath(scratch)) / "work"
        furnish(work, example)
        replay = Replay(work, environment(work.parent / "environment"))
        return rewritten(page, list(replay.bodies(page)))


def rewritten(page: str, bodies: list[tuple[Block, str]]) -> str:
    """The page with other bodies in its blocks."""
    parts, end = [], 0
    for block, body in bodies:
        parts += [page[end : block.start], body]
        end = block.start + len(block.body)
    return "".join([*parts, page[end:]])
