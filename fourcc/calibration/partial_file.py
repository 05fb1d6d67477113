"""A calibration that is being written, beside its target, and what is kept behind its bytes until it is done.

::

    the calibration file, as far as it is written | states of all windows, slot 0 | slot 1 | sums, slot 0 | slot 1

A layer reads the states of a window in one slot and writes those after it into the other, so that a layer can be run
again for a batch of windows as often as need be. The sums of the layer so far go into one slot after another, too: one
of both is whole, whenever the process ends. What counts is in the journal beside it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fourcc.errors import ClusterError, InputError
from fourcc.files.descriptors import BINARY, read_into, write_some
from fourcc.files.facts import Facts
from fourcc.files.part_file import PartFile
from fourcc.files.write import errors_named

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.execution import Execution


class OffsetFile:
    """An open file that is read and written at offsets; a context manager that closes it.

    Args:
        path: its name, for messages.
        fd: its descriptor.
        marker: a file that is there as long as the work lasts; None: whoever has this file open ends the work.
    """

    def __init__(self, path: Path, fd: int, marker: Path | None = None) -> None:
        self.path, self._fd, self._marker = path, fd, marker

    @classmethod
    def at(cls, path: Path, marker: Path | None = None) -> Self:
        """Opens a file that is there. Raises OutputError."""
        with errors_named(path, "open"):
            return cls(path, os.open(path, os.O_RDWR | BINARY), marker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes bytes at an offset. Raises OutputError; ClusterError where the work has ended."""
        if self._marker is not None and not self._marker.exists():  # the file may be a calibration by now
            raise ClusterError("the work was ended while a worker was at it", file=self.path)
        rest = memoryview(data).cast("B")
        with errors_named(self.path, "write"):
            while rest:
                count = write_some(self._fd, rest, offset)
                offset, rest = offset + count, rest[count:]

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many bytes from an offset on, or those up to the end. Raises OutputError."""
        data = bytearray(count)
        rest = memoryview(data)
        with errors_named(self.path, "read"):
            while rest and (got := read_into(self._fd, rest, offset)):
                offset, rest = offset + got, rest[got:]
        missing = len(rest)
        rest.release()
        return data[: count - missing] if missing else data

    def flush(self) -> None:
        """Flushes what was written to the disk. Raises OutputError."""
        with errors_named(self.path, "write"):
            os.fsync(self._fd)


class CalibrationFile(PartFile):
    """The file, with its journal, until it is complete; it is then cut to what the calibration takes.

    Args:
        target: the path from `check_output`.
        facts: all that its bytes depend on.
        nbytes: length of the calibration.
        how: whether to go on with what lies there.
    """

    def __init__(self, target: Path, facts: Facts, nbytes: int, how: Execution) -> None:
        super().__init__(target, facts, resume=how.resume, anew=how.anew)
        self._nbytes = nbytes

    @property
    def file(self) -> OffsetFile:
        """The open file."""
        return OffsetFile(self.path, self._fd)

    def _publish(self) -> None:
        with errors_named(self.target, "finish"):
            os.ftruncate(self._fd, self._nbytes)
        self.size = self._nbytes
        super()._publish()


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
        """The states of some tokens before a layer, float32 (count, width).

        Raises:
            InputError: the file ends too early.
        """
        data = self._file.read_at(self._at(layer, token), count * self._row)
        if len(data) < count * self._row:
            raise InputError("the unfinished calibration was cut", file=self._file.path, hint="--force begins anew.")
        return np.frombuffer(data, "<f4").reshape(count, -1)

    def put_after(self, layer: int, token: int, states: Floats) -> memoryview:
        """Keeps states after a layer (-1: the embedding) from a token on, float32 (n, width); returns their bytes."""
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
