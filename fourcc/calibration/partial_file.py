"""A calibration that is being written, beside its target, and what is kept behind its bytes until it is done.

::

    the calibration file, as far as it is written | states of all windows, slot 0 | slot 1 | sums, slot 0 | slot 1

A layer reads the states of a window in one slot and writes those after it into the other, so that a layer can be run
again for a batch of windows as often as need be. The sums of the layer so far go into one slot after another, too: one
of both is whole, whenever the process ends. What counts is in the journal beside it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fourcc.errors import InputError, OutputError, UsageError
from fourcc.files.descriptors import BINARY, read_into, write_some
from fourcc.files.journal import SUFFIX as JOURNAL
from fourcc.files.write import check_target, sync_folder

if TYPE_CHECKING:
    from fourcc.arrays import Floats

SUFFIX = ".part"


def part_of(target: Path) -> Path:
    """The file of unfinished work beside a target."""
    return target.with_name(target.name + SUFFIX)


class OffsetFile:
    """A file that is read and written at offsets; a context manager.

    Args:
        path: the file; it is made where there is none.

    Raises:
        OutputError: it cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.named("create"):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes bytes at an offset."""
        rest = memoryview(data).cast("B")
        with self.named("write"):
            while rest:
                count = write_some(self._fd, rest, offset)
                offset, rest = offset + count, rest[count:]

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many bytes from an offset on, or those up to the end."""
        data = bytearray(max(0, min(count, os.fstat(self._fd).st_size - offset)))
        rest = memoryview(data)
        with self.named("read"):
            while rest and (got := read_into(self._fd, rest, offset)):
                offset, rest = offset + got, rest[got:]
        missing = len(rest)
        rest.release()
        return data[: len(data) - missing] if missing else data

    def flush(self) -> None:
        """Flushes what was written to the disk."""
        with self.named("write"):
            os.fsync(self._fd)

    def publish(self, nbytes: int, target: Path) -> None:
        """Cuts the file to so many bytes, flushes it, and gives it the target's name."""
        with self.named("finish"):
            os.ftruncate(self._fd, nbytes)
            os.fsync(self._fd)
            self.close()  # Windows renames no file that is open
            self.path.replace(target)
            sync_folder(target.parent)

    def close(self) -> None:
        """Closes the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextlib.contextmanager
    def named(self, verb: str) -> Iterator[None]:
        """Turns an OSError into an OutputError with the file's name and the operation."""
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot {verb} the output: {error.strerror or error}", file=self.path) from error


class WindowStates:
    """The states of all windows between layers, in two slots of a file.

    Args:
        file: the file.
        offset: of the first slot.
        shape: tokens of all windows, and columns of a state.
    """

    def __init__(self, file: OffsetFile, offset: int, shape: tuple[int, int]) -> None:
        self._file, self._offset, self._shape = file, offset, shape

    @property
    def nbytes(self) -> int:
        """Bytes of both slots."""
        return 2 * self._slot

    def before(self, layer: int, token: int, count: int) -> Floats:
        """The states of some tokens before a layer that is not the first, float32 (count, width).

        Raises:
            InputError: the file ends too early.
        """
        data = self._file.read_at(self._at(layer, token), count * self._row)
        if len(data) < count * self._row:
            raise InputError("the unfinished calibration was cut", file=self._file.path, hint="--force begins anew.")
        return np.frombuffer(data, "<f4").reshape(count, -1)

    def put_after(self, layer: int, token: int, states: Floats) -> memoryview:
        """Keeps the states of some tokens after a layer, float32 (n, width); returns their bytes."""
        data = np.ascontiguousarray(states, "<f4").reshape(-1).view(np.uint8).data
        self._file.write_at(self._at(layer + 1, token), data)
        return data

    def other_states(self, layer: int) -> InputError:
        """The error for states before a layer that are not those that were kept."""
        what = f"the states before layer {layer} are not those that were kept"
        hint = "Is it one and the same file for everybody who works on it? --force begins anew."
        return InputError(what, file=self._file.path, hint=hint)

    @property
    def _row(self) -> int:
        return 4 * self._shape[1]

    @property
    def _slot(self) -> int:
        return self._shape[0] * self._row

    def _at(self, layer: int, token: int) -> int:
        """Offset of a token's state before a layer."""
        return self._offset + layer % 2 * self._slot + token * self._row


def check_target_and_part(path: Path, sources: Sequence[Path], *, force: bool) -> Path:
    """The real path of an output beside which unfinished work may lie, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read.
        force: whether an existing output may be replaced.

    Raises:
        UsageError: as `check_target`; or a file of unfinished work would be one of the sources.
        OutputError: as `check_target`; or there is something else than a file in its place.
    """
    target = check_target(path, sources, force=force)
    for suffix in (SUFFIX, JOURNAL):
        _refuse_taken(target.with_name(target.name + suffix), sources)
    return target


def _refuse_taken(unfinished: Path, sources: Sequence[Path]) -> None:
    """Raises where the place of unfinished work is taken."""
    if not os.path.lexists(unfinished):
        return
    what, hint = "is where unfinished work would be kept", "Give the output another name."
    if any(source.exists() and source.samefile(unfinished) for source in sources):
        raise UsageError(f"this input {what}", file=unfinished, hint=hint)
    if not stat.S_ISREG(unfinished.lstat().st_mode):
        raise OutputError(f"this {what}, and is no regular file", file=unfinished, hint=hint)
