"""Copies of the shipped model's files, in a folder of the user's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fourcc.errors import OutputError
from fourcc.example import FILES, FOLDER, HF, HF_FILES
from fourcc.files.write import AtomicFile, check_target, errors_named


def copy_files(folder: Path, *, beside: Iterable[str] = (), force: bool = False) -> list[Path]:
    """Copies the shipped files into a folder, which is made where there is none.

    Args:
        folder: where to.
        beside: names of files that the caller will write into the folder next; they are checked with the others.
        force: whether files that exist may be replaced.

    Returns:
        The copies, those of `FILES` first.

    Raises:
        UsageError: a file exists and `force` is False, or the folder is the one that is copied. Nothing is written.
        OutputError: the folder cannot be made, or a file cannot be written.
    """
    _make(folder)
    _make(folder / HF)
    names = (*FILES, *HF_FILES)
    for name in (*names, *beside):
        check_target(folder / name, [FOLDER / name], force=force)
    for name in names:
        with AtomicFile(check_target(folder / name, [], force=force)) as file:
            file.write_at(0, (FOLDER / name).read_bytes())
    return [folder / name for name in names]


@contextmanager
def whole_or_nothing(folder: Path) -> Iterator[None]:
    """Removes a folder that was not there before, where the work in it does not come to its end."""
    new = not folder.exists()
    try:
        yield
    except BaseException:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _make(folder: Path) -> None:
    """Makes the folder, and those above it. Raises OutputError."""
    if folder.exists() and not folder.is_dir():
        raise OutputError("the output exists and is no folder", file=folder, hint="Give another name.")
    with errors_named(folder, "create"):
        folder.mkdir(parents=True, exist_ok=True)
