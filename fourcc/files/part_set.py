"""Files that are written over hours and appear beside each other, together; a later run can go on with them.

They are written in ``OUT.part``, a folder, and moved from there when all are complete: files that they replace go then,
or, where a move fails, come back. `fourcc.files.unfinished` says what stays after an error.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from fourcc.files.descriptors import HAS_LOCKS
from fourcc.files.facts import Facts
from fourcc.files.journal import Record, read_journal, refuse_other
from fourcc.files.part_folder import PartFolder
from fourcc.files.part_names import JOURNAL, PART
from fourcc.files.several import publish
from fourcc.files.unfinished import beside, finished_names, is_finished, lock_part
from fourcc.files.write import errors_named, remove_stale


class PartSet(PartFolder):
    """Files that appear in one folder, beside what is there already; a context manager.

    Args:
        target: the path that names the unfinished work, in the folder where the files appear; there need not be a file
            of this name.
        facts: as `PartFolder` takes them.
        replaced: files that go when the others appear.
        resume: as `PartFolder` takes it.
        anew: likewise.
    """

    def __init__(
        self, target: Path, facts: Facts, replaced: Iterable[Path] = (), *, resume: bool = False, anew: bool = False
    ) -> None:
        super().__init__(target, facts, resume=resume, anew=anew)
        self._replaced = tuple(replaced)

    def __enter__(self) -> Self:
        with errors_named(self.target, "create"):
            remove_stale(self.target)
        return super().__enter__()

    def _name(self, names: Sequence[str]) -> None:
        _named(self.path, self.target, names, self._replaced)


def completed_set(
    target: Path, facts: Facts, replaced: Iterable[Path] = ()
) -> tuple[dict[str, Record], Sequence[str]] | None:
    """Units, and names of files, of work that was interrupted while these got their names, as they do now; else None.

    Raises:
        UsageError: it is not the work with these facts, or another run is at it.
        OutputError: a file cannot be moved.
    """
    part, journal = beside(target, PART), beside(target, JOURNAL)
    entries = read_journal(journal)
    if entries is None or entries.finished is None:
        return None
    names = finished_names(entries.finished)
    for name in names:
        if not any(is_finished(folder / name, name, entries.finished) for folder in (target.parent, part)):
            return None
    refuse_other(journal, entries.facts, facts)
    with contextlib.ExitStack() as stack:
        if HAS_LOCKS and part.exists():
            fd = os.open(part, os.O_RDONLY)
            stack.callback(os.close, fd)
            lock_part(fd, part, target)
        _named(part, target, names, replaced)
    remove_stale(target)  # replaced files that the interrupted run had put aside
    journal.unlink()
    return entries.done, names


def _named(part: Path, target: Path, names: Sequence[str], replaced: Iterable[Path]) -> None:
    """Gives files their names; those that have theirs already are left alone."""
    left = {part / name: target.with_name(name) for name in names if (part / name).exists()}
    mine = set(names) - {path.name for path in left}
    publish(left, [path for path in replaced if path.name not in mine], target)
    shutil.rmtree(part, ignore_errors=True)
