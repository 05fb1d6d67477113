"""The tensors that an interrupted run has written: as its journal has them, and whether their bytes are still so.

The journal holds what only the work can tell: places and checksums of parts, measured errors, digests of calibration
data. All else in a tensor's record follows from the plan, which the journal's facts have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, Protocol

from fourcc.container.index import ErrorRecord, PartRecord, TensorRecord
from fourcc.container.layout import SUM_BYTES, aligned, sum_count
from fourcc.container.sums import damaged_chunks
from fourcc.conversion.file_size import parts_from
from fourcc.conversion.pipeline import Step, copied_record, feedback_record, new_record
from fourcc.dtypes import DType
from fourcc.errors import InputError, listed
from fourcc.files.journal import ANEW, Record
from fourcc.plugins.registry import registry
from fourcc.progress import DONE_BEFORE
from fourcc.threads import Task, in_order

SHOWN = 4  # names in a note
_log = logging.getLogger(__name__)


class Unfinished(Protocol):
    """Bytes that an interrupted run may have written in part, and its journal."""

    @property
    def done(self) -> Mapping[str, Record]:
        """The journal's entry of each tensor that is done, by name."""

    def add(self, key: str, record: Record) -> None:
        """Notes that a tensor's bytes are written."""

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many of the bytes, or those up to the end."""


def journal_entry(record: TensorRecord) -> dict[str, Any]:
    """A tensor as the journal has it."""
    error, feedback = record.error, record.feedback
    return {
        "parts": [[*part[:-1], part.sums.hex()] for part in record.parts],
        "error": None if error is None else list(error),
        "aids": None if record.aids is None else record.aids.hex(),
        "hessian": None if feedback is None else feedback.hessian.hex(),
    }


def record_of(step: Step, entry: Mapping[str, Any]) -> TensorRecord:
    """The record of a tensor that the journal has, without the number of its provider."""
    parts = tuple(_part(fields) for fields in entry["parts"])
    if step.copied:
        return copied_record(step, parts, None)
    error, aids, hessian = entry["error"], entry["aids"], entry["hessian"]
    return new_record(
        step,
        parts,
        None if error is None else ErrorRecord(*error),
        None if aids is None else bytes.fromhex(aids),
        None,
        None if hessian is None else feedback_record(step, lambda _: bytes.fromhex(hessian)),
    )


def records_in(steps: Iterable[Step], done: Mapping[str, Record]) -> dict[str, TensorRecord]:
    """The records of the tensors that the journal has, by name. Raises InputError where one is none of a tensor."""
    found = {}
    for step in steps:
        name = step.source.name
        if name in done:
            try:
                found[name] = record_of(step, done[name])
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise InputError("the journal's entry of a tensor is damaged", tensor=name, hint=ANEW) from error
    return found


def tensors_done(
    out: Unfinished,
    steps: tuple[Step, ...],
    known: Mapping[str, TensorRecord],
    threads: int,
    report: Callable[[str, int], None],
) -> dict[str, TensorRecord]:
    """The tensors that need not be done again: their bytes are read back, and are as they were written.

    Args:
        out: the bytes.
        steps: all tensors.
        known: records of those that may be done.
        threads: number of tensors that are read at once.
        report: told of the weights of each, by the name `DONE_BEFORE`.
    """

    def intact(record: TensorRecord) -> bool:
        return all(_intact(out, record.name, part) for part in record.parts)

    records = [known[step.source.name] for step in steps if step.source.name in known]
    tasks = (Task(lambda record=record: intact(record)) for record in records)  # type: ignore[misc]  # bound at once
    found = {}
    for record, as_written in zip(records, in_order(tasks, threads, 0), strict=True):
        if as_written:
            found[record.name] = record
            report(DONE_BEFORE, prod(record.shape))
            _log.info("%s: done before", record.name)
    return found


def in_their_places(
    steps: Iterable[Step], known: Mapping[str, TensorRecord], offset: int
) -> Iterator[tuple[str, TensorRecord]]:
    """The tensors, of those in the journal, that lie where a container's writer puts them from an offset on.

    A tensor behind a part of variable length that has yet to be written has no known place.
    """
    left = len(known)
    for step in steps if known else ():
        record = known.get(step.source.name)
        left -= record is not None
        expected = parts_from(step, offset)
        if record is not None and [part.offset for part in record.parts[:1]] == [part.offset for part in expected[:1]]:
            yield step.source.name, record
            parts = record.parts
        elif not step.copied and any(part.variable for part in registry[step.decision.tag].parts):
            return
        else:
            parts = expected
        if not left:
            return
        offset = aligned(parts[-1].offset + parts[-1].nbytes) if parts else offset


def notes_on(out: Unfinished, found: Mapping[str, TensorRecord], count: int, *, resume: bool) -> list[str]:
    """Notes on how much of interrupted work was gone on with.

    Args:
        out: the bytes.
        found: the tensors that need not be done again.
        count: number of all tensors.
        resume: whether such work was asked for.
    """
    if not resume:
        return []
    again = [name for name in out.done if name not in found]
    if not out.done:
        return ["there was nothing to resume, so all tensors were written"]
    notes = [f"{len(found)} of {count} tensors {'was' if len(found) == 1 else 'were'} done before"]
    if again:
        what = "it is" if len(again) == 1 else "they are"
        notes.append(f"{listed(again, SHOWN)}: {what} done again, since the bytes are not as they were written")
    return notes


def _intact(out: Unfinished, tensor: str, part: PartRecord) -> bool:
    if len(part.sums) != SUM_BYTES * sum_count(part.nbytes):
        return False
    return next(damaged_chunks(out.read_at, tensor, part), None) is None


def _part(fields: Sequence[Any]) -> PartRecord:
    name, dtype, shape, offset, nbytes, sums = fields
    return PartRecord(name, _dtype(dtype), tuple(shape), offset, nbytes, bytes.fromhex(sums))


def _dtype(value: Any) -> DType:  # noqa: ANN401 - from JSON
    """A dtype, whose records are lists in JSON."""
    if isinstance(value, str):
        return value
    return tuple((name, dtype, tuple(dims)) for name, dtype, dims in value)
