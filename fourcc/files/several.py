"""Files that appear under their names together, or none of them: the files that they replace go only then.

Each name always stands for a complete file, old or new. If the process is killed amid the renames, some names stand for
old files and some for new ones: whoever reads several files as one must be able to tell.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fourcc.files.write import NAME_CHARS, SUFFIX, errors_named, sync_folder


def publish(renames: Mapping[Path, Path], replaced: Iterable[Path]) -> None:
    """Gives complete files, which are on the disk, their names.

    Args:
        renames: path -> its new one, in the same folder.
        replaced: files that go: those that lie under one of the new names, and others.

    Raises:
        OutputError: a file cannot be renamed; all are then as they were.
    """
    back: list[tuple[Path, Path]] = []  # (where a file lies now, where it came from)
    first = next(iter(renames.values()))
    try:
        with errors_named(first, "finish"):
            _move([(path, _aside(path)) for path in dict.fromkeys(replaced) if path.exists()], back)
            aside = [now for now, _ in back]
            _move(list(renames.items()), back)
            sync_folder(first.parent)
    except BaseException:
        for now, before in reversed(back):
            with contextlib.suppress(OSError):
                now.rename(before)
        raise
    for path in aside:
        with contextlib.suppress(OSError):
            path.unlink()


def _move(moves: Sequence[tuple[Path, Path]], back: list[tuple[Path, Path]]) -> None:
    for before, now in moves:
        before.rename(now)
        back.append((now, before))


def _aside(path: Path) -> Path:
    """A name for a file that goes; the next run to the same target removes it, should this one be killed."""
    return path.with_name(f".{path.name[:NAME_CHARS]}.{secrets.token_hex(6)}{SUFFIX}")
