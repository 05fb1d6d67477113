"""A file that is written over hours: a later run can go on with it (`fourcc.files.unfinished`)."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from fourcc.errors import OutputError, UsageError
from fourcc.files.descriptors import BINARY, HAS_LOCKS
from fourcc.files.facts import Facts
from fourcc.files.journal import Record, read_journal, refuse_other
from fourcc.files.part_names import JOURNAL, PART
from fourcc.files.unfinished import (
    UnfinishedOutput,
    UnfinishedWork,
    beside,
    finished_record,
    is_finished,
    lock_part,
    refuse_sources,
)
from fourcc.files.write import (
    EXISTS,
    AtomicFile,
    check_target,
    errors_named,
    pass_on,
    real_path,
    remove_stale,
    sync_folder,
)

_log = logging.getLogger(__name__)
_FLAGS = os.O_RDWR | os.O_CREAT | BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def check_output(path: Path, sources: Iterable[Path], *, force: bool, resume: bool = False) -> Path:
    """The real path of an output beside which unfinished work may lie, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read.
        force: whether an existing output may be replaced.
        resume: whether unfinished work is gone on with: it may be that all but its journal is finished.

    Raises:
        UsageError: as `check_target`; or a file that is read lies in the place of unfinished work.
        OutputError: as `check_target`.
    """
    read, target = list(sources), real_path(path)
    refuse_sources(target, read)
    try:
        return check_target(path, read, force=force or (resume and _published(target)))
    except UsageError as error:
        if resume and error.what == EXISTS and not beside(target, JOURNAL).exists():
            error.hint = "No unfinished work lies beside it: it is complete, or another's. --force replaces it."
        raise


def _published(target: Path) -> bool:
    """Whether unfinished work lacks nothing but the removal of its journal."""
    finished = finished_record(target)
    return finished is not None and is_finished(target, beside(target, PART).name, finished)


def completed(target: Path, facts: Facts) -> dict[str, Record] | None:
    """The units of work that lacked nothing but the removal of its journal, which is removed; None for other work.

    Raises:
        UsageError: it is not the work with these facts.
    """
    path = beside(target, JOURNAL)
    entries = read_journal(path) if _published(target) else None
    if entries is None:
        return None
    refuse_other(path, entries.facts, facts)
    with errors_named(target, "finish"):
        sync_folder(target.parent)
        path.unlink()
    return entries.done


class PartFile(UnfinishedOutput, AtomicFile):
    """A file that appears under its name when it is complete, and that a later run can go on with.

    Args:
        target: the path from `check_output`.
        facts: all that its bytes depend on; see `UnfinishedWork`.
        resume: go on with what lies there.
        anew: remove what lies there.

    Attributes:
        beside: further files, by their paths, that get their names at the end, before this one.

    Raises:
        UsageError: another run is writing this output; unfinished work lies there, and neither `resume` nor `anew` is
            given, or it is other work; a file lies there that no journal explains.
        InputError: the journal is damaged.
        OutputError: it cannot be written.
    """

    def __init__(self, target: Path, facts: Facts, *, resume: bool = False, anew: bool = False) -> None:
        super().__init__(target)
        self.beside: dict[Path, bytes] = {}
        self._work = UnfinishedWork(target, facts, resume=resume, anew=anew)
        self.path = self._work.part

    def __enter__(self) -> Self:
        with errors_named(self.target, "create"):
            remove_stale(self.target)
        self._fd = _opened(self.path, self.target)
        try:
            self._begin()
        except BaseException:
            if not self.size:
                self.path.unlink()
            self._close()
            raise
        self._temporary = self.path
        return self

    def _begin(self) -> None:
        self.size = os.fstat(self._fd).st_size
        worth = self._work.begin(empty=not self.size)
        with errors_named(self.target, "create"):
            if not worth:
                os.ftruncate(self._fd, 0)
                self.size = 0
            self._pass_on(0o600)  # a later run writes to it, even where the output is for reading only

    def _pass_on(self, more: int) -> None:
        """Gives the part the owner and the mode of the file that it will replace, and some more bits."""
        if self.target.exists():
            pass_on(self.target.stat(), self._fd, more)

    def _publish(self) -> None:
        with errors_named(self.target, "finish"):
            self._pass_on(0)
            os.fsync(self._fd)
        self._work.finish([self.path])
        for path, data in self.beside.items():
            with AtomicFile(path) as other:
                other.write_at(0, data)
        with errors_named(self.target, "finish"):
            if not HAS_LOCKS:
                self._close()
            self.path.replace(self.target)
            self._temporary = None
            sync_folder(self.target.parent)
        self._work.remove()
        _log.info("wrote %s: %d bytes", self.target, self.size)


def _opened(part: Path, target: Path) -> int:
    """A descriptor of a part file that is there, or made, with its writer's lock.

    Raises:
        UsageError: another run has the lock.
        OutputError: it cannot be opened, or is no regular file.
    """
    while True:
        with errors_named(part, "create"):
            fd = os.open(part, _FLAGS, 0o600 if target.exists() else 0o666)
        try:
            _refuse_other_kinds(fd, part)
            if lock_part(fd, part, target):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _refuse_other_kinds(fd: int, part: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        what = "the output is written here until it is complete, and this is no regular file"
        raise OutputError(what, file=part, hint="Move it, or give the output another name.")
