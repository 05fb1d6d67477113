"""Files that get their names together, or not at all: the files that they replace go only then.

Each name always stands for a complete file, old or new. If the process is killed amid the renames, some names stand for
old files and some for new ones: whoever reads several files as one must be able to tell.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from fourcc.files.write import NAME_CHARS, SUFFIX, errors_named, sync_folder


def publish(renames: Mapping[Path, Path], replaced: Iterable[Path], target: Path) -> None:
    """Gives complete files, which are on the disk, their names.

    Args:
        renames: path -> its new one.
        replaced: files that go: those that lie under one of the new names, and others.
        target: the output, in whose folder all new names are; for messages, and for the names of what goes.

    Raises:
        OutputError: a file cannot be renamed; all are then as they were.
    """
    moved: list[tuple[Path, Path]] = []  # (where a file lies now, where it came from)
    aside = {path: _aside(target) for path in replaced if path.exists()}
    try:
        with errors_named(target, "finish"):
            _move(aside, moved)
            _move(renames, moved)
            sync_folder(target.parent)
    except BaseException:
        for now, before in reversed(moved):
            with contextlib.suppress(OSError):
                now.rename(before)
        raise
    for path in aside.values():
        with contextlib.suppress(OSError):
            path.unlink()


def _move(moves: Mapping[Path, Path], moved: list[tuple[Path, Path]]) -> None:
    for before, now in moves.items():
        before.rename(now)
        moved.append((now, before))


def _aside(target: Path) -> Path:
    """A name for a file that goes; the next run to the same target removes it, should this one be killed."""
    return target.with_name(f".{target.name[:NAME_CHARS]}.{secrets.token_hex(6)}{SUFFIX}")
