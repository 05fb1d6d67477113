"""Work over hours whose unfinished output lies beside its name: what stays after an error, and how it is gone on with.

``OUT.part``, a file or a folder, holds the bytes, ``OUT.journal`` says which units are done. A run that is asked to
goes on with them after an interrupt, a kill or a full disk; only that, beginning anew, or a finished run removes them.
Neither is left where no unit is done, or where an error would come again. A lock on the part shows that its writer
lives.

The last steps: the part is flushed, the journal notes that all is done, the part gets its name, the journal goes. A run
that ends between any two of them is completed by the next one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from fourcc.errors import FourccError, NumericError, PluginError, UsageError
from fourcc.files.facts import Facts
from fourcc.files.journal import Journal, Record, read_journal, said_done
from fourcc.files.part_names import JOURNAL, PART
from fourcc.files.read import identity
from fourcc.files.write import NAME_CHARS, errors_named, take_lock

COME_AGAIN = (NumericError, PluginError, UsageError)  # errors that the same work would raise again
_LONGEST_NAME = 255  # bytes of a file's name
_FILES = "files"


def beside(target: Path, suffix: str) -> Path:
    """The path of the part, or the journal, of an output; a name that would be too long is cut, with a digest.

    They lie beside the output. Those of a folder that is there already lie in it, where the one that it is in is on
    another disk, or may not be written to.
    """
    name = target.name + suffix
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f"{target.name[:NAME_CHARS]}-{xxh3_64_hexdigest(os.fsencode(target.name))}{suffix}"
    return (target if target.is_dir() and _apart(target) else target.parent) / name


def _apart(folder: Path) -> bool:
    return folder.stat().st_dev != folder.parent.stat().st_dev or not os.access(folder.parent, os.W_OK)


def refuse_sources(target: Path, sources: Iterable[Path]) -> None:
    """Raises UsageError where a file that is read lies in the place of unfinished work."""
    journal, part = beside(target, JOURNAL), beside(target, PART)
    for source in map(os.path.realpath, sources):
        if Path(source) in {journal, part} or part in Path(source).parents:
            what = "this input is where unfinished work would be kept"
            raise UsageError(what, file=source, hint="Give the output another name.")


def finished_record(target: Path) -> Record | None:
    """The note beside an output that it was getting its name when the work was interrupted; None where there is none.

    Damage is not reported here, but by the run that goes on.
    """
    with contextlib.suppress(FourccError, OSError):
        entries = read_journal(beside(target, JOURNAL))
        return None if entries is None else entries.finished
    return None


def as_finished(files: Iterable[Path]) -> Record:
    """The note of files that are complete, by which `is_finished` knows them under whatever name."""
    return {_FILES: {path.name: list(identity(path)[1:]) for path in files}}


def is_finished(path: Path, name: str, finished: Record) -> bool:
    """Whether a file is the one that was noted under a name."""
    known = finished.get(_FILES, {}).get(name)
    return path.exists() and known == list(identity(path)[1:])


def finished_names(finished: Record) -> list[str]:
    """The names of the files that were noted."""
    return list(finished.get(_FILES, {}))


class UnfinishedWork:
    """The journal of an output that is being written, and the decision whether it stays after an error.

    Args:
        target: the output.
        facts: all that its bytes depend on; ``units`` is the number of all units, ``unit`` their word.
        resume: go on with what lies there.
        anew: remove what lies there; `resume` comes first.

    Attributes:
        hopeless: whether a later run cannot go on with what was written.
    """

    def __init__(self, target: Path, facts: Facts, *, resume: bool, anew: bool) -> None:
        self.target, self.part, self.path = target, beside(target, PART), beside(target, JOURNAL)
        self.hopeless = False
        self._facts, self._resume, self._anew = facts, resume, anew
        self._journal: Journal | None = None

    def begin(self, *, empty: bool) -> bool:
        """Opens the journal, or begins one; the part has its lock by now.

        Args:
            empty: whether the part has no bytes.

        Returns:
            Whether there are units that are done; else the part's bytes are of no use.

        Raises:
            UsageError: as `Journal.open`; or the part has bytes, and no journal says whose.
            InputError: the journal is damaged.
        """
        if not empty and not self.path.exists():
            what = "this is in the place where unfinished work would be kept, and no journal belongs to it"
            raise UsageError(what, file=self.part, hint="Move it, or give the output another name.")
        resume = self._resume and not empty
        self._journal = Journal.open(self.path, self._facts, resume=resume, anew=self._anew or empty)
        return bool(self._journal.done)

    @property
    def done(self) -> Mapping[str, Record]:
        """The record of each unit that is done."""
        return {} if self._journal is None else self._journal.done

    def add(self, key: str, record: Record) -> None:
        """Notes that a unit's bytes are written. Raises OutputError."""
        assert self._journal is not None
        self._journal.add(key, record)

    def finish(self, files: Iterable[Path]) -> None:
        """Notes that all is done: these files, which are flushed, get their names now. Raises OutputError."""
        assert self._journal is not None
        with errors_named(self.target, "finish"):
            record = as_finished(files)
        self._journal.finish(record)

    def remove(self) -> None:
        """Removes the journal, if there is one."""
        if self._journal is not None:
            self._journal.remove()

    def stays(self, error: BaseException) -> bool:
        """Whether the part and the journal stay after an error, which is then told how the work goes on."""
        if not self.done or self.hopeless or isinstance(error, COME_AGAIN):
            return False
        assert self._journal is not None
        self._journal.close()
        tell(error, said_done(len(self.done), self._facts))
        return True


class UnfinishedOutput:
    """An output that stays unfinished where that is worth something: what a part file and a part folder have in common.

    Attributes:
        hopeless: whether a later run cannot go on with what was written.
    """

    hopeless: bool
    _work: UnfinishedWork
    _publish: Callable[[], None]  # gives what is complete its name
    _discard: Callable[[], None]  # removes what was written
    _close: Callable[[], None]

    @property
    def done(self) -> Mapping[str, Record]:
        """The record of each unit that is done."""
        return self._work.done

    def add(self, key: str, record: Record) -> None:
        """Notes that a unit's bytes are written. Raises OutputError."""
        self._work.add(key, record)

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
        self._work.hopeless |= self.hopeless
        if not self._work.stays(error):
            self._discard()
            self._work.remove()


def tell(error: BaseException, done: str) -> None:
    """Adds to an error how much is done, and how the work goes on."""
    advice = f"{done}: the same command with --resume goes on"
    if isinstance(error, FourccError):
        error.hint = f"{error.hint} {advice}." if error.hint else f"{advice}."
    else:
        error.add_note(advice)


def lock_part(fd: int, part: Path, target: Path) -> bool:
    """Takes the lock that shows that a part's writer lives; False where the part was removed or published meanwhile.

    Raises:
        UsageError: another run has it.
    """
    if not take_lock(fd):
        what = "another run is writing this output"
        raise UsageError(what, file=target, hint="Wait for it, or write to another name.")
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), part.stat())
    return False
