"""Does what a page says, in a folder of its own, and tells how the page should read."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Event
from typing import IO

from tests.pages.blocks import Block, blocks
from tests.pages.elsewhere import elsewhere
from tests.pages.surroundings import environment, furnish

PATIENCE = 300  # seconds for a command
INTERRUPTED = Event()  # set after Ctrl-C, which a command does not get itself: it has a session of its own


class Replay:
    """Runs the blocks of one page, one after the other.

    Args:
        folder: where the first one runs.
        env: the environment; `VIRTUAL_ENV` is a folder that may be written to.
        names: what the page names, such as a port -> what its commands get in its place.
    """

    def __init__(self, folder: Path, env: dict[str, str], names: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._env = env
        self._names = names or {}
        self._groups: list[int] = []  # of processes that commands have left in the background
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
        """Runs a command in a group of processes of its own, which may go on in the background when it has ended."""
        given = [renamed(part, self._names) for part in command]
        with TemporaryFile() as out, TemporaryFile() as err:  # a pipe would stay open as long as one of them lives
            process = subprocess.Popen(
                given,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            self._wait(process)
            theirs = {ours: name for name, ours in self._names.items()}
            texts = [renamed(read(file), theirs) for file in (out, err)]
        return subprocess.CompletedProcess(command, process.returncode, *texts)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Waits for a command, and keeps its group if others of it go on."""
        end = time.monotonic() + PATIENCE
        while process.poll() is None:
            if INTERRUPTED.wait(0.02) or time.monotonic() > end:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise RuntimeError(f"{process.args}\ninterrupted, or not ended after {PATIENCE} seconds")
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 0)
            self._groups.append(process.pid)

    def close(self) -> None:
        """Ends what still runs in the background."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._groups.clear()


def read(file: IO[bytes]) -> str:
    """All text of a file."""
    file.seek(0)
    return file.read().decode()


def renamed(text: str, names: Mapping[str, str]) -> str:
    """A text with other names."""
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def corrected(page: str, example: Path) -> str:
    """The page with the real output of every command.

    Args:
        page: its text.
        example: what `fourcc example` made.

    Raises:
        RuntimeError: a command fails that must not, or a package that the page wants is not installed.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        top = Path(os.path.realpath(scratch))
        furnish(top / "work", example)
        with elsewhere(page, example, top) as outside:
            env = {**environment(top / "environment"), **outside.env}
            with closing(Replay(top / "work", env, outside.names)) as replay:
                return rewritten(page, list(replay.bodies(page)))


def rewritten(page: str, bodies: list[tuple[Block, str]]) -> str:
    """The page with other bodies in its blocks."""
    parts, end = [], 0
    for block, body in bodies:
        parts += [page[end : block.start], body]
        end = block.start + len(block.body)
    return "".join([*parts, page[end:]])
