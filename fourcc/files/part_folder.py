"""A folder that is written over hours: its files appear together, and a later run can go on with it.

The files are written in ``OUT.part``. That gets the output's name where there is no such folder yet; else each file is
moved into it. `fourcc.files.unfinished` says what stays after an error.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from fourcc.files.descriptors import BINARY, HAS_LOCKS
from fourcc.files.facts import Facts
from fourcc.files.journal import Record, read_journal, refuse_other
from fourcc.files.part_names import JOURNAL, PART
from fourcc.files.unfinished import (
    UnfinishedOutput,
    UnfinishedWork,
    beside,
    finished_names,
    is_finished,
    lock_part,
)
from fourcc.files.write import SUFFIX, AtomicFile, errors_named, sync_folder

_log = logging.getLogger(__name__)


def completed_folder(target: Path, facts: Facts) -> dict[str, Record] | None:
    """The units of work that was interrupted while its files got their names, and these get them now; else None.

    Raises:
        UsageError: it is not the work with these facts, or another run is at it.
        OutputError: a file cannot be moved.
    """
    part, path = beside(target, PART), beside(target, JOURNAL)
    entries = read_journal(path)
    if entries is None or entries.finished is None:
        return None
    for name in finished_names(entries.finished):
        if not any(is_finished(folder / name, name, entries.finished) for folder in (target, part)):
            return None
    refuse_other(path, entries.facts, facts)
    fd = _opened(part, target)
    try:
        _named(part, target)
        path.unlink()
    finally:
        _close(fd)
    return entries.done


class PartFolder(UnfinishedOutput):
    """A folder whose files appear when all are complete, and that a later run can go on with; a context manager.

    Args:
        target: the path from `check_folder`.
        facts: all that its bytes depend on; see `UnfinishedWork`.
        resume: go on with what lies there.
        anew: remove what lies there.

    Attributes:
        path: of the folder to write to.
        hopeless: whether a later run cannot go on with what was written.

    Raises:
        UsageError: as `PartFile`.
        InputError: the journal is damaged.
        OutputError: it cannot be written.
    """

    def __init__(self, target: Path, facts: Facts, *, resume: bool = False, anew: bool = False) -> None:
        self.target = target
        self.hopeless = False
        self._work = UnfinishedWork(target, facts, resume=resume, anew=anew)
        self.path = self._work.part
        self._fd = -1

    def __enter__(self) -> Self:
        self._fd = _opened(self.path, self.target)
        try:
            empty = not any(self.path.iterdir())
            if not self._work.begin(empty=empty):
                _emptied(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                self.path.rmdir()  # only if it is empty
            self._close()
            raise
        return self

    def _publish(self) -> None:
        files = [path for path in sorted(self.path.iterdir()) if not path.name.endswith(SUFFIX)]
        with errors_named(self.target, "finish"):
            sync_folder(self.path)
        self._work.finish(files)
        self._name([path.name for path in files])
        self._work.remove()

    def _name(self, names: Sequence[str]) -> None:
        """Gives the files that were written their names."""
        _named(self.path, self.target)
        _log.info("wrote %s: %d files", self.target, len(names))

    def _discard(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _close(self) -> None:
        _close(self._fd)
        self._fd = -1


class FileInFolder(AtomicFile):
    """A file of a `PartFolder`, which is written where it lies; an earlier run may have written some of its bytes.

    Args:
        path: of the file.
    """

    def __enter__(self) -> Self:
        with errors_named(self.target, "create"):
            self._fd = os.open(self.target, os.O_RDWR | os.O_CREAT | BINARY, 0o666)
            self.size = os.fstat(self._fd).st_size
        return self

    def _publish(self) -> None:
        with errors_named(self.target, "finish"):
            os.fsync(self._fd)


def _opened(part: Path, target: Path) -> int:
    """A descriptor of a part folder that is there, or made, with its writer's lock; -1 where folders have none.

    Raises:
        UsageError: another run has the lock.
        OutputError: it cannot be made, or is no folder.
    """
    while True:
        with errors_named(part, "create"):
            part.mkdir(exist_ok=True)
            if not HAS_LOCKS:
                return -1
            fd = os.open(part, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if lock_part(fd, part, target):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _named(part: Path, target: Path) -> None:
    """Gives the files of a part folder their names, and removes it; those that have theirs already are left alone."""
    with errors_named(target, "finish"):
        if target.exists():
            for file in sorted(part.iterdir()):
                if not file.name.endswith(SUFFIX):
                    file.replace(target / file.name)
            sync_folder(target)
            shutil.rmtree(part)
        else:
            part.rename(target)
        sync_folder(target.parent)


def _emptied(folder: Path) -> None:
    """Removes what lies in a part folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)
