"""The log beside a measurement's output: the units that are done, so that it can be resumed.

The first line says what is measured; each further line is a unit. A line counts once it is whole.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from fourcc.calibration.costs import Unit, unit_line
from fourcc.calibration.costs_reading import parse_unit
from fourcc.calibration.partial_file import SUFFIX
from fourcc.errors import InputError, OutputError, UsageError


class UnitLog:
    """An unfinished measurement.

    Args:
        output: the file of costs that is to be written; this one lies beside it.
        head: what the results depend on, as JSON has it.
        resume: whether to go on with a log that is there; else it is begun anew.

    Attributes:
        done: the measured units, by name.

    Raises:
        UsageError: there is an unfinished measurement of something else.
        InputError: it is damaged.
        OutputError: it cannot be written.
    """

    def __init__(self, output: Path, head: Mapping[str, object], *, resume: bool) -> None:
        self.path = output.with_name(f"{output.name}{SUFFIX}")
        self.done: dict[str, Unit] = {}
        self._head = json.dumps(head)
        if resume and self.path.exists():
            self._resume()
        else:
            with self.removed_if_empty():
                self._write("w", self._head)

    def add(self, unit: Unit) -> None:
        """Appends a unit that is done. Raises OutputError."""
        self._write("a", unit_line(unit))
        self.done[unit.name] = unit

    @contextlib.contextmanager
    def removed_if_empty(self) -> Iterator[None]:
        """Removes the file if an exception comes before a unit is done: there is nothing to go on with."""
        try:
            yield
        except BaseException:
            if not self.done:
                with contextlib.suppress(OSError):
                    self.remove()
            raise

    def remove(self) -> None:
        """Removes the file: the measurement is done."""
        self.path.unlink()

    def _write(self, mode: str, line: str) -> None:
        try:
            with self.path.open(mode, encoding="ascii", newline="\n") as file:
                file.write(f"{line}\n")
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror or error}", file=self.path) from error

    def _resume(self) -> None:
        whole, _, torn = self.path.read_bytes().rpartition(b"\n")
        lines = whole.split(b"\n")
        if not whole or lines[0] != self._head.encode():
            raise self._another(lines[0])
        for number, line in enumerate(lines[1:], 2):
            unit = self._unit(line, number)
            self.done[unit.name] = unit
        if torn:
            with self.path.open("r+b") as file:
                file.truncate(len(whole) + 1)

    def _unit(self, line: bytes, number: int) -> Unit:
        try:
            return parse_unit(json.loads(line), self.path)
        except (ValueError, InputError) as error:
            hint = "Begin anew, without --resume."
            raise InputError(
                f"line {number} of the unfinished measurement is damaged", file=self.path, hint=hint
            ) from error

    def _another(self, line: bytes) -> UsageError:
        """The error for another measurement's file; it names the first difference."""
        mine, found, expected = json.loads(self._head), None, None
        try:
            theirs = json.loads(line)
            key = next(key for key in mine if theirs.get(key) != mine[key])
            found, expected = f"{key} {theirs.get(key)!r}", repr(mine[key])
        except (ValueError, AttributeError, StopIteration):
            pass
        return UsageError(
            "the unfinished measurement is of something else",
            file=self.path,
            found=found,
            expected=expected,
            hint="Give the arguments that it began with, or begin anew, without --resume.",
        )
