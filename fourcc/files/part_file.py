"""A file that is written over hours: beside its output lie, by fixed names, the bytes so far and a journal of them.

``OUT.part`` holds the bytes, ``OUT.journal`` says which units are done. A run that is asked to goes on with them after an
interrupt, a kill or a full disk; only that, beginning anew, or a finished run removes them. Neither is left where no
unit is done, or where an error would come again. A lock on the part file shows that its writer lives.

The last steps: the part file is flushed, the journal notes that all is done, the file gets its name, the journal goes.
A run that ends between any two of them is completed by the next one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from xxhash import xxh3_64_hexdigest

from fourcc.errors import FourccError, NumericError, OutputError, PluginError, UsageError
from fourcc.files import journal as journals
from fourcc.files.descriptors import BINARY, HAS_LOCKS
from fourcc.files.facts import Facts
from fourcc.files.journal import Journal, Record, read_journal, refuse_other, said_done
from fourcc.files.read import identity
from fourcc.files.write import (
    NAME_CHARS,
    AtomicFile,
    check_target,
    errors_named,
    pass_on,
    real_path,
    remove_stale,
    sync_folder,
    take_lock,
)

SUFFIX = ".part"
SUFFIXES = (SUFFIX, journals.SUFFIX)
COME_AGAIN = (NumericError, PluginError, UsageError)  # errors that the same work would raise again
_LONGEST_NAME = 255  # bytes of a file's name
_FILES = "files"
_log = logging.getLogger(__name__)


def beside(target: Path, suffix: str) -> Path:
    """The path of the part file, or the journal, of an output; a name that would be too long is cut, with a digest."""
    name = target.name + suffix
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f"{target.name[:NAME_CHARS]}-{xxh3_64_hexdigest(os.fsencode(target.name))}{suffix}"
    return target.with_name(name)


def check_output(path: Path, sources: Iterable[Path], *, force: bool, resume: bool = False) -> Path:
    """The real path of an output beside which unfinished work may lie, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read.
        force: whether an existing output may be replaced.
        resume: whether unfinished work is gone on with; an output to which that work has given its name may be there.

    Raises:
        UsageError: as `check_target`; or a file that is read lies in the place of unfinished work.
        OutputError: as `check_target`.
    """
    read, target = list(sources), real_path(path)
    for other in (beside(target, suffix) for suffix in SUFFIXES):
        if any(source.exists() and other.exists() and source.samefile(other) for source in read):
            what = "this input is where unfinished work would be kept"
            raise UsageError(what, file=other, hint="Give the output another name.")
    return check_target(path, read, force=force or (resume and _has_its_name(target)))


def getting_names(target: Path) -> bool:
    """Whether the work beside an output was interrupted while its files got their names."""
    return _finished(target) is not None


def _has_its_name(target: Path) -> bool:
    finished = _finished(target)
    return finished is not None and _is_file(target, finished)


def _finished(target: Path) -> Record | None:
    with contextlib.suppress(FourccError, OSError):
        entries = read_journal(beside(target, journals.SUFFIX))
        return None if entries is None else entries.finished
    return None


def completed(target: Path, facts: Facts) -> dict[str, Record] | None:
    """The units of work that was interrupted after its output got its name; its journal is removed. None elsewhere.

    Raises:
        UsageError: it is not the work with these facts.
    """
    path = beside(target, journals.SUFFIX)
    entries = read_journal(path)
    if entries is None or entries.finished is None or not _is_file(target, entries.finished):
        return None
    refuse_other(path, entries.facts, facts)
    with errors_named(target, "finish"):
        sync_folder(target.parent)
        path.unlink()
    return entries.done


def as_finished(files: Iterable[Path]) -> Record:
    """The note of files that are complete, by which `completed` knows them under whatever folder."""
    return {_FILES: {path.name: list(identity(path)[1:]) for path in files}}


def is_finished(path: Path, name: str, finished: Record) -> bool:
    """Whether a file is the one that was noted under a name."""
    known = finished.get(_FILES, {}).get(name)
    return path.exists() and known == list(identity(path)[1:])


def _is_file(target: Path, finished: Record) -> bool:
    return is_finished(target, beside(target, SUFFIX).name, finished)


class PartFile(AtomicFile):
    """A file that appears under its name when it is complete, and that a later run can go on with.

    Args:
        target: the path from `check_output`.
        facts: all that its bytes depend on, with the number of units under ``units``.
        resume: go on with what lies there.
        anew: remove what lies there.

    Attributes:
        beside: further files, by their paths, that get their names at the end, before this one.
        hopeless: whether what was written is of no use to a later run.

    Raises:
        UsageError: another run is writing this output; unfinished work lies there, and neither `resume` nor `anew` is
            given, or it is other work; a file lies there that no journal explains.
        InputError: the journal is damaged.
    """

    def __init__(self, target: Path, facts: Facts, *, resume: bool = False, anew: bool = False) -> None:
        super().__init__(target)
        self.beside: dict[Path, bytes] = {}
        self.hopeless = False
        self._facts, self._resume, self._anew = facts, resume, anew
        self._journal: Journal | None = None

    @property
    def path(self) -> Path:
        """The file's name until it is complete."""
        return beside(self.target, SUFFIX)

    def __enter__(self) -> Self:
        with errors_named(self.target, "create"):
            remove_stale(self.target)
        self._fd = locked(self.path, self.target)
        try:
            self._journal = self._begun()
        except BaseException:
            if not self.size:
                self.path.unlink()
            self._close()
            raise
        self._temporary = self.path
        return self

    def _begun(self) -> Journal:
        """The journal of what lies there, or a new one; then the part file is emptied."""
        path = beside(self.target, journals.SUFFIX)
        self.size = os.fstat(self._fd).st_size
        if self.size and not path.exists():
            what = "this file is in the place where unfinished work would be kept, and no journal belongs to it"
            raise UsageError(what, file=self.path, hint="Move it, or give the output another name.")
        journal = Journal.open(
            path, self._facts, resume=self._resume and self.size > 0, anew=self._anew or not self.size
        )
        with errors_named(self.target, "create"):
            if not journal.done:
                os.ftruncate(self._fd, 0)
                self.size = 0
            if self.target.exists():
                pass_on(self.target.stat(), self._fd)
        return journal

    @property
    def done(self) -> Mapping[str, Record]:
        """The record of each unit that is done."""
        return {} if self._journal is None else self._journal.done

    def add(self, key: str, record: Record) -> None:
        """Notes that a unit's bytes are written. Raises OutputError."""
        assert self._journal is not None
        self._journal.add(key, record)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._publish()
        except BaseException as failed:
            self._leave(failed)
            raise
        else:
            if isinstance(error, BaseException):
                self._leave(error)
        finally:
            self._close()

    def _leave(self, error: BaseException) -> None:
        """Keeps what is worth going on with, and says so in the error; removes it elsewhere."""
        assert self._journal is not None
        if self._journal.done and not self.hopeless and not isinstance(error, COME_AGAIN):
            self._journal.close()
            tell(error, said_done(len(self._journal.done), self._facts))
            return
        self._discard()
        self._journal.remove()

    def _publish(self) -> None:
        assert self._journal is not None
        with errors_named(self.target, "finish"):
            os.fsync(self._fd)
        self._journal.finish(as_finished([self.path]))
        for path, data in self.beside.items():
            with AtomicFile(path) as other:
                other.write_at(0, data)
        with errors_named(self.target, "finish"):
            if not HAS_LOCKS:
                self._close()
            self.path.replace(self.target)
            self._temporary = None
            sync_folder(self.target.parent)
        self._journal.remove()
        _log.info("wrote %s: %d bytes", self.target, self.size)


def tell(error: BaseException, done: str) -> None:
    """Adds to an error how much is done, and how the work goes on."""
    advice = f"{done}: the same command with --resume goes on"
    if isinstance(error, FourccError):
        error.hint = f"{error.hint} {advice[0].upper()}{advice[1:]}." if error.hint else f"{advice}."
    else:
        error.add_note(advice)


def locked(part: Path, target: Path) -> int:
    """A descriptor of a part file that is there, or made, with its writer's lock.

    Raises:
        UsageError: another run has the lock.
        OutputError: it cannot be opened, or is no regular file.
    """
    flags = os.O_RDWR | os.O_CREAT | BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        with errors_named(part, "create"):
            fd = os.open(part, flags, 0o600 if target.exists() else 0o666)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OutputError(
                "this is where the output is written until it is complete, and no regular file", file=part
            )
        if not take_lock(fd):
            os.close(fd)
            raise UsageError(
                "another run is writing this output", file=target, hint="Wait for it, or write to another name."
            )
        with contextlib.suppress(FileNotFoundError):  # the other run has just finished, or removed it
            if os.path.samestat(os.fstat(fd), part.stat()):
                return fd
        os.close(fd)
