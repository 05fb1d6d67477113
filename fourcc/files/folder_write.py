"""Writing a folder so that its files appear together, when all of them are complete.

The files go into a temporary folder: beside the target where there is none yet, which is then renamed, or else inside
it, from where each file is moved to its name. Whatever goes wrong, the temporary folder is removed; after a kill that
no program can catch, the next run to the same target removes it. A lock on the folder shows that its writer lives.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from fourcc.errors import OutputError, UsageError, listed
from fourcc.files.descriptors import BINARY, HAS_LOCKS, lock
from fourcc.files.write import NAME_CHARS, SUFFIX, errors_named, real_path, sync_folder

WEIGHTS = (".safetensors", ".safetensors.index.json", ".gguf")  # endings of files that readers of a folder take up
_SHOWN = 4  # names in a message


def check_folder(path: Path, sources: Iterable[Path], names: Iterable[str], *, force: bool) -> Path:
    """The real path of a folder to write, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read; none may be replaced.
        names: of the files that are written.
        force: whether files in an existing folder may be replaced.

    Raises:
        UsageError: the folder is not empty and `force` is False; a file that is read would be replaced; or weights of
            another model would stay.
        OutputError: it is no folder, or the folder that it should be in does not exist.
    """
    target, wanted = real_path(path), set(names)
    if not target.parent.is_dir():
        raise OutputError("the folder does not exist", file=target.parent, hint="Create it first.")
    if not target.exists():
        return target
    if not target.is_dir():
        raise OutputError("the output exists and is no folder", file=path)
    if any(source.exists() and real_path(source) == target / name for source in sources for name in wanted):
        raise UsageError("input and output are the same folder", file=path, hint="Write to another name.")
    present = sorted(entry.name for entry in target.iterdir() if not entry.name.endswith(SUFFIX))
    if present and not force:
        hint = "--force replaces the files that it has; the others stay."
        raise UsageError("the folder exists and is not empty", file=path, found=listed(present, _SHOWN), hint=hint)
    others = [name for name in present if name.endswith(WEIGHTS) and name not in wanted]
    if others:
        what = "the folder holds weights that would stay, and be taken for the model's"
        raise UsageError(what, file=path, found=listed(others, _SHOWN), hint="Remove them, or write to another folder.")
    return target


class AtomicFolder:
    """A folder whose files appear when all are complete; a context manager.

    Leaving the block normally publishes them; leaving it by an exception removes what was written.

    Args:
        target: the path from `check_folder`.

    Attributes:
        path: of the temporary folder, inside the block.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target
        self._temporary: Path | None = None
        self._fd = -1

    def __enter__(self) -> Self:
        home = self.target if self.target.exists() else self.target.parent
        stem = f".{self.target.name[:NAME_CHARS]}."
        with errors_named(self.target, "create"):
            _remove_stale(home, stem)
            self.path = home / f"{stem}{secrets.token_hex(6)}{SUFFIX}"
            self.path.mkdir()
            self._temporary = self.path
            self._fd = _locked(self.path)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._discard()

    def _publish(self) -> None:
        with errors_named(self.target, "finish"):
            sync_folder(self.path)
            if self.path.parent == self.target:
                for file in sorted(self.path.iterdir()):
                    file.replace(self.target / file.name)
                sync_folder(self.target)
            else:
                self.path.rename(self.target)
                self._temporary = None
                sync_folder(self.target.parent)

    def _discard(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _locked(folder: Path) -> int:
    """A descriptor with the lock that shows that the writer lives; -1 where the system has none."""
    if not HAS_LOCKS:
        return -1
    fd = os.open(folder, os.O_RDONLY | BINARY)
    with contextlib.suppress(OSError):  # a file system without locks, where `_remove_stale` removes nothing
        lock(fd)
    return fd


def _remove_stale(home: Path, stem: str) -> None:
    """Removes the temporary folders of killed runs to this target; without locks they stay."""
    if not HAS_LOCKS:
        return
    for path in home.iterdir():
        if not (path.name.startswith(stem) and path.name.endswith(SUFFIX) and path.is_dir()):
            continue
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY)
            try:
                lock(fd)  # fails while the writer lives, or without locks
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(fd)
