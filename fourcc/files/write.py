"""Writing a file so that its name always stands for the old contents or the complete new ones.

The bytes go into a temporary file beside the target, which is flushed to the disk and then renamed over it; the
folder is flushed too. A new file has the mode that the umask gives; one that replaces another keeps that one's mode,
and its owner and group as far as the system allows. If the output is a symbolic link, the file that it points to is
replaced and the link stays. Whatever goes wrong, the temporary file is removed; after a kill that no program can catch,
the next run to the same target removes it. A lock on the file shows that its writer lives.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from fourcc.errors import OutputError, UsageError
from fourcc.files.descriptors import BINARY, HAS_LOCKS, lock, read_into, write_some

_log = logging.getLogger(__name__)
SUFFIX = ".fourcc-tmp"
EXISTS = "the output exists"  # and may not be replaced
NAME_CHARS = 50  # of the target's name in the temporary file's name: at most 200 bytes of the 255 that a name may have
FOREIGN_SUFFIXES = frozenset({".gguf", ".safetensors"})  # of files that `fourcc export` writes
RESERVE = 1 << 20  # bytes beyond the estimate that must be free
NO_FOLDER_FLUSH = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})


def check_name(output: Path | None) -> None:
    """Refuses an output whose name says that it is a file of another kind. Raises UsageError."""
    if output is not None and str(output) == "-":
        what = "a model.bin is not written to standard output: its parts are not written in order"
        raise UsageError(what, hint="Give -o FILE; ./- is taken for - as well.")
    suffix = "" if output is None else output.suffix.lower()
    if output is not None and suffix in FOREIGN_SUFFIXES:
        raise UsageError(
            f"convert writes a model.bin, and the output's name ends with {suffix}",
            file=output,
            hint=f"`fourcc export SRC -o {output.name}` writes such a file.",
        )


def in_folder(output: Path, name: str = "model.bin") -> Path:
    """The output; where it is a folder, the file of that name in it."""
    return output / name if output.is_dir() else output


def check_target(path: Path, sources: Iterable[Path], *, force: bool) -> Path:
    """The real path that an output is written to, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read; none may be the output.
        force: whether an existing file may be replaced.

    Raises:
        UsageError: the output exists and `force` is False, or it is one of the sources.
        OutputError: the output is no regular file, or its folder does not exist.
    """
    target = real_path(path)
    if not target.parent.is_dir():
        raise OutputError("the folder does not exist", file=target.parent, hint="Create it first.")
    if not target.exists():
        return target
    if not stat.S_ISREG(target.stat().st_mode):
        raise OutputError("the output exists and is no regular file", file=path)
    if any(source.exists() and source.samefile(target) for source in sources):
        raise UsageError("input and output are the same file", file=path, hint="Write to another name.")
    if not force:
        raise UsageError(EXISTS, file=path, hint="--force replaces it.")
    return target


def real_path(path: Path) -> Path:
    """The path without symbolic links. Raises OutputError where the working directory is gone."""
    try:
        return Path(os.path.realpath(path))
    except FileNotFoundError as error:  # the working directory was removed
        what = "the current folder is gone, so a relative path leads nowhere"
        raise OutputError(what, file=path, hint="Give an absolute path.") from error


def check_space(target: Path, nbytes: int) -> None:
    """Refuses to begin where the disk has too little free space.

    Raises:
        OutputError: less than `nbytes` and a reserve are free; the message has both numbers.
    """
    free = shutil.disk_usage(target.parent).free
    if nbytes + RESERVE > free:
        raise OutputError(
            "not enough space on the disk", file=target, found=f"{free} bytes free", expected=f"{nbytes + RESERVE}"
        )


class AtomicFile:
    """A file that appears under its name only when it is complete; a context manager.

    Leaving the block normally publishes the file; leaving it by an exception removes what was written.

    Args:
        target: the path from `check_target`.

    Attributes:
        size: the end of its last byte.
        hopeless: whether what was written is of no use to a later run.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.size = 0
        self.hopeless = False
        self._temporary: Path | None = None
        self._fd = -1

    def __enter__(self) -> Self:
        with errors_named(self.target, "create"):
            remove_stale(self.target)
            self._temporary, self._fd = _create(self.target)
        return self

    @property
    def done(self) -> Mapping[str, Mapping[str, Any]]:
        """Units of work whose bytes are written, for a later run to go on with: none, but in a `PartFile`."""
        return {}

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Does nothing: no later run goes on with this file."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`; bytes that are skipped read as zero."""
        rest = memoryview(data).cast("B")
        with errors_named(self.target, "write"):
            while rest:
                count = write_some(self._fd, rest, offset)
                if not count:
                    raise OSError(errno.EIO, "nothing was written")
                offset, rest = offset + count, rest[count:]
        self.size = max(self.size, offset)

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many of the bytes that were written at an offset, or those up to the end."""
        data = bytearray(max(0, min(count, self.size - offset)))
        rest, at = memoryview(data), offset
        while rest and (got := read_into(self._fd, rest, at)):
            at, rest = at + got, rest[got:]
        return data[: at - offset]

    def end_at(self, nbytes: int) -> None:
        """Gives the file its length: bytes beyond are cut off, those that were never written are zero."""
        with errors_named(self.target, "write"):
            os.ftruncate(self._fd, nbytes)
        self.size = nbytes

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._discard()

    def _publish(self) -> None:
        assert self._temporary is not None
        with errors_named(self.target, "finish"):
            os.fsync(self._fd)
            if not HAS_LOCKS:
                self._close()
            self._temporary.replace(self.target)
            self._temporary = None
            sync_folder(self.target.parent)
        _log.info("wrote %s: %d bytes", self.target, self.size)

    def _discard(self) -> None:
        if not HAS_LOCKS:
            self._close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class UnnamedFile(AtomicFile):
    """A file that never gets a name: the system removes it with the last descriptor, however the process ends.

    Args:
        folder: the folder that its bytes lie in.
        fd: the file's descriptor, from `tempfile.TemporaryFile`; it stays open.
    """

    def __init__(self, folder: Path, fd: int) -> None:
        super().__init__(folder / "temporary model")  # for messages
        self._fd = os.dup(fd)

    def __enter__(self) -> Self:
        return self

    def _publish(self) -> None:
        pass


def _create(target: Path) -> tuple[Path, int]:
    """Creates a locked file beside the target, with the mode and owner of the file that it will replace, if any."""
    replaced = target.stat() if target.exists() else None
    mode = 0o666 if replaced is None else 0o600  # less the bits that the umask takes
    while True:
        temporary = target.with_name(f".{target.name[:NAME_CHARS]}.{secrets.token_hex(6)}{SUFFIX}")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, mode)
        if take_lock(fd) and temporary.exists():  # else another run removed it between the two calls, as a dead run's
            if replaced is not None:
                pass_on(replaced, fd)
            return temporary, fd
        os.close(fd)


def pass_on(replaced: os.stat_result, fd: int, more: int = 0) -> None:
    """Gives a file the owner, the group and the mode of another one, as far as the system allows; and `more` bits.

    Where the group cannot be kept, the mode's bits for the group become those for everybody, so that nobody gains a
    right.
    """
    if not hasattr(os, "fchown"):  # Windows
        return
    for owner, group in ((replaced.st_uid, -1), (-1, replaced.st_gid)):
        with contextlib.suppress(OSError):
            os.fchown(fd, owner, group)
    mode = stat.S_IMODE(replaced.st_mode) & 0o777
    if os.fstat(fd).st_gid != replaced.st_gid:
        mode &= 0o707 | (mode & 0o007) << 3
    with contextlib.suppress(OSError):
        os.fchmod(fd, mode | more)


def take_lock(fd: int) -> bool:
    """Takes the lock that shows that the writer lives; False where another process has it."""
    try:
        lock(fd)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks, where `remove_stale` removes nothing
        return True
    return True


def remove_stale(target: Path) -> None:
    """Removes the temporary files of killed runs to this target; without locks they stay."""
    if not HAS_LOCKS:
        return
    prefix = f".{target.name[:NAME_CHARS]}."
    for path in target.parent.iterdir():
        if not (path.name.startswith(prefix) and path.name.endswith(SUFFIX)):
            continue
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR)
            try:
                lock(fd)  # fails while the writer lives, or without locks
                path.unlink()
            finally:
                os.close(fd)


def sync_folder(folder: Path) -> None:
    """Flushes a folder, so that a rename survives a power cut.

    Some file systems cannot do that, and some folders can be written to but not read: both are ignored. An error of the
    disk is raised.
    """
    try:
        fd = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in NO_FOLDER_FLUSH:
            raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def errors_named(target: Path, verb: str) -> Iterator[None]:
    """Turns an OSError into an OutputError with the output's name and the operation."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot {verb} the output: {error.strerror or error}", file=target) from error
