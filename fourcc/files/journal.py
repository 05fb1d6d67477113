"""The journal of unfinished work: what it is, and which of its units are done, so that it can be gone on with.

A text file, one JSON object a line, each with the checksum of its line::

    {"facts":{...},"sum":"0123456789abcdef"}               what the bytes of the result depend on
    {"unit":"a name","record":{...},"sum":"..."}            a unit that is done, and what is known of it
    {"finished":{...},"sum":"..."}                          all are done: the result is getting its name

Lines are not flushed to the disk one by one, so after a power cut a journal may say more than reached the disk: who
goes on compares the bytes of a unit with their checksums. A last line that is torn is dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from xxhash import xxh3_64_hexdigest

from fourcc.errors import InputError, UsageError
from fourcc.files.descriptors import BINARY
from fourcc.files.facts import FactDifference, Facts, as_json, differences, listed_differences
from fourcc.files.write import errors_named

ANEW = "Give --force to begin anew."
_FACTS, _UNIT, _RECORD, _FINISHED, _SUM = "facts", "unit", "record", "finished", "sum"
_BEGIN = b'{"facts":'
_END = b',"sum":"'  # what comes before a line's checksum
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)  # a line is made for every unit

Record = Mapping[str, Any]


class JournalEntries(NamedTuple):
    """The contents of a journal.

    Attributes:
        facts: what the bytes depend on.
        done: the record of each unit that is done, by its key; of a unit that was done twice, the later one.
        finished: what was noted when all were done; None before.
        nbytes: length of the lines that count; what follows is torn.
    """

    facts: Facts
    done: dict[str, Record]
    finished: Record | None
    nbytes: int


class Journal:
    """A journal that is open for further units; made by `open`. A context manager that closes it.

    It stays when it is left, however the work ends; without a unit that is done it is removed.

    Attributes:
        path: of the file.
        done: record by key of the units that were done before, and of those that were added since.
        finished: what was noted when all were done; None before.
    """

    def __init__(self, path: Path, entries: JournalEntries, fd: int) -> None:
        self.path, self.done, self.finished = path, dict(entries.done), entries.finished
        self._fd = fd

    @classmethod
    def open(cls, path: Path, head: Facts, *, resume: bool, anew: bool = False) -> Self:
        """Opens a journal, or begins one.

        Args:
            path: of the file; by custom the output's name and ``.journal``.
            head: named facts that JSON can hold: all that the bytes of the result depend on.
            resume: go on with the units of a journal that is there; without one, a journal is begun.
            anew: begin anew where a journal is there; `resume` comes first.

        Raises:
            UsageError: the journal that is there has other facts, each of which is named; or it has units that are
                done, and neither `resume` nor `anew` is given.
            InputError: it is damaged.
            OutputError: it cannot be written.
        """
        facts = as_json(head)
        entries = None if anew and not resume else read_journal(path)
        if entries is not None and entries.done and not resume:
            raise unfinished(path, said_done(len(entries.done), entries.facts))
        if entries is None or not resume or not (entries.done or entries.finished):
            return cls(path, JournalEntries(facts, {}, None, 0), _begun(path, _line({_FACTS: facts})))
        refuse_other(path, entries.facts, facts)
        return cls(path, entries, _opened(path, entries.nbytes))

    def add(self, key: str, record: Record) -> None:
        """Notes that a unit is done. Raises OutputError."""
        self._write({_UNIT: key, _RECORD: record})
        self.done[key] = record

    def finish(self, record: Record) -> None:
        """Notes, on the disk, that all is done and the result gets its name now. Raises OutputError."""
        self._write({_FINISHED: record})
        with errors_named(self.path, "write"):
            os.fsync(self._fd)
        self.finished = record

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.done and self._fd >= 0:
            self.remove()
        self.close()

    def remove(self) -> None:
        """Closes and removes the file: the work is done, or not worth going on with."""
        self.close()
        with contextlib.suppress(FileNotFoundError), errors_named(self.path, "write"):
            self.path.unlink()

    def close(self) -> None:
        """Closes the file, which stays; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, entry: Mapping[str, object]) -> None:
        with errors_named(self.path, "write"):
            _write_all(self._fd, _line(entry))


def read_journal(path: Path) -> JournalEntries | None:
    """The contents of a journal; None where there is none, or nothing of it that counts.

    Raises:
        InputError: it is no journal; or it is damaged: a line other than the last one is not as it was written.
        OSError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    _refuse_foreign(path, data)
    lines = data.split(b"\n")[:-1]  # what follows the last line's end is torn
    entries = [_parsed(line) for line in lines]
    if entries and entries[-1] is None:
        entries.pop()
    if not entries:  # the process ended, or the power failed, before the first line was whole
        return None
    return _gathered(path, entries, sum(len(line) + 1 for line in lines[: len(entries)]))


def refuse_other(path: Path, found: Facts, expected: Facts) -> None:
    """Raises UsageError, naming each fact that differs, where unfinished work is not the work that is asked for."""
    differing = differences(found, expected)
    if differing:
        raise other_work(path, differing)


def other_work(path: Path, differing: list[FactDifference]) -> UsageError:
    """The error for unfinished work that is not the work that is asked for."""
    what = f"the unfinished work is not the one that is asked for: {listed_differences(differing)}"
    hint = "Give --resume with what it began with, or --force to begin anew."
    return UsageError(what, file=path, hint=hint)


def unfinished(path: Path, done: str) -> UsageError:
    """The error for unfinished work that is neither gone on with nor begun anew; `done` says how much of it is done."""
    what = f"unfinished work lies beside the output: {done}"
    return UsageError(what, file=path, hint="--resume goes on with it, --force begins anew.")


def said_done(done: int, facts: Facts) -> str:
    """How many units are done, in words; the facts may have their whole number as ``units``, their word as ``unit``.

    >>> said_done(3, {"units": 7, "unit": "tensor"}), said_done(1, {})
    ('3 of 7 tensors are done', '1 unit is done')
    """
    whole, word = facts.get("units"), facts.get("unit", "unit")
    several = (done if whole is None else whole) != 1
    return f"{done}{'' if whole is None else f' of {whole}'} {word}{'s' * several} {'is' if done == 1 else 'are'} done"


def _refuse_foreign(path: Path, data: bytes) -> None:
    """Refuses a file that is no journal by its beginning; a torn one, or nothing but zeros, is a journal."""
    if any(data) and not data.startswith(_BEGIN) and not _BEGIN.startswith(data):
        hint = "Move it, or give the output another name."
        raise InputError("this file is no journal, and lies where one would be", file=path, hint=hint)


def _gathered(path: Path, entries: list[dict[str, Any] | None], nbytes: int) -> JournalEntries:
    head, *others = entries
    if head is None or not isinstance(head.get(_FACTS), dict):
        raise InputError("line 1 of the journal is damaged", file=path, hint=ANEW)
    done: dict[str, Record] = {}
    finished: Record | None = None
    for number, entry in enumerate(others, 2):
        if entry is None or not isinstance(entry.get(_RECORD, entry.get(_FINISHED)), dict):
            raise InputError(f"line {number} of the journal is damaged", file=path, hint=ANEW)
        if _UNIT in entry:
            done[entry[_UNIT]] = entry[_RECORD]
        finished = entry.get(_FINISHED, finished)
    return JournalEntries(head[_FACTS], done, finished, nbytes)


def _line(entry: Mapping[str, object]) -> bytes:
    body = _ENCODER.encode(entry).encode()[:-1]
    return body + _END + xxh3_64_hexdigest(body).encode() + b'"}\n'


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The entry of a line; None where it is not as it was written."""
    body, _, end = line.rpartition(_END)
    if not body or end != xxh3_64_hexdigest(body).encode() + b'"}':
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _begun(path: Path, head: bytes) -> int:
    """A descriptor of a new file that holds the head; one of that name is replaced."""
    with errors_named(path, "write"):
        with contextlib.suppress(FileNotFoundError):
            with path.open("rb") as file:
                _refuse_foreign(path, file.read(len(_BEGIN)))
            path.unlink()  # rather than cut: nothing is written through a link that someone laid there
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | BINARY, 0o600)
        try:
            _write_all(fd, head)
        except BaseException:
            os.close(fd)
            path.unlink()
            raise
    return fd


def _opened(path: Path, nbytes: int) -> int:
    """A descriptor of a journal that is there, cut after the lines that count."""
    with errors_named(path, "write"):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | BINARY)
        os.ftruncate(fd, nbytes)
    return fd


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
