"""A temporary folder that looks like a model's: small files as they are, weights with holes that are filled when read.

Its files take turns where all weights are used one after the other: one lies whole on the disk at a time. The next one
that is needed is fetched and checked before any of its bytes are used, and the one before it is emptied first. Whatever
is read of an emptied file again, such as a piece of a tensor that lies in two files, is fetched as ranges and compared
with what was checked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Self

from fourcc.files import backing
from fourcc.files.descriptors import HAS_LOCKS, lock
from fourcc.hub.ranges import Remote
from fourcc.hub.remote_file import RemoteFile
from fourcc.threads import Task, in_order

PREFIX = ".fourcc-hub-"
AT_ONCE = 8  # files whose beginnings are fetched at once


class Mirror:
    """The folder; a context manager that removes it.

    Args:
        parent: the folder that it is made in.
        name: of the model, whose parts become folders.
        called: what messages have in place of the folder and a slash, such as ``hf://org/name/``.
        whole: whether files take turns in lying whole on the disk once `use_whole` is called.
    """

    def __init__(self, parent: Path, name: str, called: str, *, whole: bool) -> None:
        _remove_stale(parent)
        self._root, self._fd = _made(parent)
        self._whole = whole
        self._files: list[RemoteFile] = []
        self._turn = threading.Condition()
        self.folder = self._root.joinpath(*name.split("/"))
        self.folder.mkdir(parents=True)
        backing.call(self.folder, called)

    def add(self, name: str, data: bytes) -> None:
        """Adds a small file; its name has been checked."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def back(self, name: str, remote: Remote, sha256: str | None) -> None:
        """Adds a file that is filled when it is read; its name has been checked."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _TurnFile(self, path, remote, sha256) if self._whole else RemoteFile(path, remote, sha256)
        self._files.append(file)
        backing.back(path, file)

    def fetch_beginnings(self) -> None:
        """Fetches the first block of each file, several at once. Raises as reading does."""
        files = [file for file in self._files if file.remote.size]
        tasks = (Task(partial(_touch, file)) for file in files)
        for _ in in_order(tasks, min(AT_ONCE, max(1, len(files))), 0):
            pass

    def take_turns(self) -> int:
        """From now on the files are used as a whole, one after the other; gives the length of the longest."""
        for file in self._files:
            file.turn, file.take_turn = self._turn, self._give_turn
        return max((file.remote.size for file in self._files), default=0)

    def _give_turn(self, file: RemoteFile) -> None:
        """Empties the others, and fetches a file. The caller has the turn."""
        others = [other for other in self._files if other is not file]
        while any(other.readers for other in others):
            self._turn.wait()
        if file.sums is not None:  # another thread was faster while this one waited
            return
        for other in others:
            if other.held_bytes:
                other.empty()
        file.fetch_whole()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        backing.let_go(file.path for file in self._files)
        for file in self._files:
            file.close()
        shutil.rmtree(self._root, ignore_errors=True)
        if self._fd >= 0:
            os.close(self._fd)


class _TurnFile(RemoteFile):
    """A file that takes turns with the others of its mirror, once one of them is used as a whole."""

    def __init__(self, mirror: Mirror, path: Path, remote: Remote, sha256: str | None) -> None:
        super().__init__(path, remote, sha256)
        self._mirror = mirror

    def use_whole(self) -> int:
        """Has all files of the mirror take turns; gives the length of the longest."""
        return self._mirror.take_turns()


def _touch(file: RemoteFile) -> None:
    with file.held(0, 1):
        pass


def _made(parent: Path) -> tuple[Path, int]:
    """A new folder, and a descriptor with its lock, which shows that its run lives; -1 where there are no locks."""
    while True:
        folder = Path(os.path.realpath(tempfile.mkdtemp(prefix=PREFIX, dir=parent)))
        if not HAS_LOCKS:
            return folder, -1
        fd = os.open(folder, os.O_RDONLY)
        if _is_ours(fd) and folder.is_dir():  # else another run removes it between the two calls, as a dead run's
            return folder, fd
        os.close(fd)


def _is_ours(fd: int) -> bool:
    """Takes the lock of a folder; False where another run has it, which removes the folder."""
    try:
        lock(fd)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks, where nothing is swept
        return True
    return True


def _remove_stale(parent: Path) -> None:
    """Removes the folders of killed runs; without locks they stay."""
    if not HAS_LOCKS:
        return
    with contextlib.suppress(OSError):
        for path in parent.iterdir():
            if path.name.startswith(PREFIX) and path.is_dir() and not path.is_symlink():
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    """Removes a folder that no living run has."""
    with contextlib.suppress(OSError):
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            lock(fd)  # fails while its run lives
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(fd)
