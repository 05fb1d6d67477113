"""A calibration that is being written, beside its target: after a kill it is gone on with where the last layer ended.

::

    the calibration file, as far as it is written | states, slot 0 | states, slot 1 | mark 0 | mark 1

After each layer the states of all windows go into one slot, then that slot's mark says how many layers are done. A mark
counts only if its sum is right and its states have theirs; so one of both is always whole, whenever the process ends.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from xxhash import xxh3_128_digest

from fourcc.errors import FourccError, OutputError, UsageError
from fourcc.files.descriptors import BINARY, read_into, write_some
from fourcc.files.write import check_target, sync_folder

if TYPE_CHECKING:
    from fourcc.arrays import Floats

SUFFIX = ".part"
MARK = struct.Struct("<q16s16s")  # layers done, digest of the work, sum of the states
MARK_BYTES = MARK.size + 16  # and the sum of these


def check_target_and_part(path: Path, sources: Sequence[Path], *, force: bool) -> Path:
    """The real path of an output beside which unfinished work may lie, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read.
        force: whether an existing output may be replaced.

    Raises:
        UsageError: as `check_target`; or the file of unfinished work would be one of the sources.
        OutputError: as `check_target`; or there is something else than a file in its place.
    """
    target = check_target(path, sources, force=force)
    part = target.with_name(target.name + SUFFIX)
    if not os.path.lexists(part):
        return target
    what = "is where unfinished work would be kept"
    if any(source.exists() and source.samefile(part) for source in sources):
        raise UsageError(f"this input {what}", file=part, hint="Give the output another name.")
    if not stat.S_ISREG(part.lstat().st_mode):
        raise OutputError(f"this {what}, and is no regular file", file=part, hint="Give the output another name.")
    return target


class PartialFile:
    """The file `TARGET.part`; a context manager that publishes it as the target when it is left normally.

    Left by a `FourccError` it is removed: the same would happen again. Left by anything else, such as an interrupt, it
    stays if a layer is done.

    Args:
        target: the path from `check_target`.
        nbytes: length of the calibration file.
        work: 16 bytes that tell the work from any other.
        states: shape of the states of all windows, float32.
        resume: whether to go on with a file that is there; one of other work is replaced.

    Attributes:
        done: number of layers that were done before.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, target: Path, nbytes: int, work: bytes, states: tuple[int, int], *, resume: bool) -> None:
        self.path = target.with_name(target.name + SUFFIX)
        self._target, self._nbytes, self._work, self._shape = target, nbytes, work, states
        self._slot = 4 * states[0] * states[1]
        self._resume = resume
        self._fd, self.done, self._worth_keeping = -1, 0, False

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | BINARY | (0 if self._resume else os.O_TRUNC)
        with self._named("create"):
            self._fd = os.open(self.path, flags, 0o666)
        try:
            self.done, self._from = self._found()
            self._worth_keeping = self.done > 0
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def write_at(self, offset: int, data: bytes) -> None:
        """Writes bytes of the calibration file."""
        rest = memoryview(data)
        with self._named("write"):
            while rest:
                count = write_some(self._fd, rest, offset)
                offset, rest = offset + count, rest[count:]

    def read_at(self, offset: int, count: int) -> bytes:
        """So many bytes from an offset on, or those up to the end."""
        data = bytearray(max(0, min(count, os.fstat(self._fd).st_size - offset)))
        rest = memoryview(data)
        while rest and (got := read_into(self._fd, rest, offset)):
            offset, rest = offset + got, rest[got:]
        return bytes(data[: len(data) - len(rest)])

    def mark(self, done: int, states: Floats) -> None:
        """Notes that so many layers are done, after which the windows are in these states."""
        data = np.ascontiguousarray(states, "<f4").tobytes()
        slot = done % 2
        self.write_at(self._nbytes + slot * self._slot, data)
        with self._named("write"):
            os.fsync(self._fd)
        mark = MARK.pack(done, self._work, xxh3_128_digest(data))
        self.write_at(self._mark_at(slot), mark + xxh3_128_digest(mark))
        self._worth_keeping = True
        with self._named("write"):
            os.fsync(self._fd)

    def states(self) -> Floats:
        """The states after the layers that were done before, float32 (tokens, width)."""
        data = bytearray(self.read_at(self._nbytes + self._from * self._slot, self._slot))
        return np.frombuffer(data, "<f4").reshape(self._shape)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if kind is None:
                with self._named("finish"):
                    os.ftruncate(self._fd, self._nbytes)
                    os.fsync(self._fd)
                    self._close()
                    self.path.replace(self._target)
                    sync_folder(self._target.parent)
            elif issubclass(kind, FourccError) or not self._worth_keeping:
                self._close()
                with contextlib.suppress(OSError):
                    self.path.unlink()
        finally:
            self._close()

    def _close(self) -> None:
        """Closes the file, since Windows renames and removes none that is open."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- what is there

    def _found(self) -> tuple[int, int]:
        """Layers that are done, and the slot of the states after them."""
        best = (0, 0)
        for slot in (0, 1):
            data = self.read_at(self._mark_at(slot), MARK_BYTES)
            if len(data) < MARK_BYTES or xxh3_128_digest(data[: MARK.size]) != data[MARK.size :]:
                continue
            done, work, whole = MARK.unpack(data[: MARK.size])
            states = self.read_at(self._nbytes + slot * self._slot, self._slot)
            if work == self._work and done > best[0] and xxh3_128_digest(states) == whole:
                best = (done, slot)
        return best

    def _mark_at(self, slot: int) -> int:
        return self._nbytes + 2 * self._slot + slot * MARK_BYTES

    @contextlib.contextmanager
    def _named(self, verb: str) -> Iterator[None]:
        """Turns an OSError into an OutputError with the file's name and the operation."""
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot {verb} the output: {error.strerror or error}", file=self.path) from error
