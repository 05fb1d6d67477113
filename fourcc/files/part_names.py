"""The names of unfinished work beside its output, and the answer to who opens it as if it were finished.

It imports nothing of the journal before it is needed: each command asks, whatever it opens.
"""

from __future__ import annotations

from pathlib import Path

from fourcc.errors import SourceError

PART, JOURNAL = ".part", ".journal"


def refuse_unfinished(path: Path) -> None:
    """Raises SourceError where a path is unfinished work, with how much of it is done; a file within it counts, too."""
    for each in (path, path.parent):
        if each.suffix in {PART, JOURNAL} and each.exists():
            _refuse(each)


def _refuse(path: Path) -> None:
    from fourcc.errors import FourccError
    from fourcc.files.journal import read_journal, said_done

    try:
        entries = read_journal(path.with_suffix(JOURNAL))
    except (FourccError, OSError):
        return
    if entries is not None:
        done = said_done(len(entries.done), entries.facts)
        hint = f"The command that began {path.stem} goes on with --resume."
        raise SourceError(f"unfinished work, not a model: {done}", file=path, hint=hint)
