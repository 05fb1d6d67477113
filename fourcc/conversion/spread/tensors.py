"""Handing out the tensors of a conversion to workers, and collecting their records in the order of the file."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path

import attrs

from fourcc.cluster.conditions import Conditions, conditions
from fourcc.cluster.workers import Job, Workers
from fourcc.container.index import PartRecord, Provider, TensorRecord
from fourcc.container.layout import HEAD_BYTES, aligned
from fourcc.conversion.done_tensors import journal_entry
from fourcc.conversion.file_size import parts_from
from fourcc.conversion.pipeline import Step, copied_record, new_record, number_of, provider_of
from fourcc.conversion.plan import Plan
from fourcc.conversion.spread.assembly import TensorAssembly
from fourcc.conversion.spread.destination import Destination, Home
from fourcc.conversion.spread.inputs import store_aids
from fourcc.conversion.spread.piece_task import place_loose, write_loose, write_piece
from fourcc.conversion.spread.pieces import TensorPiece, pieces
from fourcc.conversion.spread.request import LooseResult, PartPlace, PieceRequest, WorkerInputs
from fourcc.conversion.step_log import tell
from fourcc.conversion.step_need import encoded_weights
from fourcc.errors import UsageError
from fourcc.execution import Execution
from fourcc.files.backing import backing_of
from fourcc.plugins.registry import registry
from fourcc.threads import thread_count

Report = Callable[[str, int], None]


def spread(
    planned: Plan,
    steps: tuple[Step, ...],
    out: Destination,
    providers: dict[Provider, int],
    how: Execution,
    report: Report,
    done: Mapping[str, TensorRecord],
) -> Iterator[TensorRecord]:
    """Has workers write the parts of every tensor, and yields the records in the order of the file.

    Args:
        planned: the plan.
        steps: its tensors, with the numbers of rules that are stored.
        out: the output.
        providers: the file's, numbered in the order in which they appear; extended here.
        how: has the executor, and the number of threads of each task.
        report: called after every piece with the tensor's name and the piece's number of weights.
        done: records, but for their providers' numbers, of the tensors whose parts are already written.

    Raises:
        ClusterError: workers are lost, differ, or do not see the files.
        FourccError: as `transcode` does, with the worker's name.
    """
    assert how.executor is not None
    needs = _conditions(planned, steps, out)
    with Workers(how.executor, needs) as workers:
        work = _Spreading(planned, steps, out, how, needs, done)
        for step, record in zip(steps, work.records(workers, report), strict=True):
            yield record._replace(provider=number_of(providers, provider_of(step)))


def _conditions(planned: Plan, steps: tuple[Step, ...], out: Destination) -> Conditions:
    """The conditions for workers. Raises UsageError where the source is not in files that they could open."""
    files = list(planned.source.files)
    if planned.calibration is not None:
        files.append(Path(str(getattr(planned.calibration, "path", ""))))
    missing = next((file for file in files if backing_of(file) is not None or not file.is_file()), None)
    if missing is not None:
        what = "workers open the source and the calibration by their files, and this one is not on a disk"
        raise UsageError(what, file=missing, hint="Convert it without an executor.")
    tags = {tag for step in steps for tag in (step.decision.tag, step.source.tag)}
    return conditions(tags, files, out.target)


class _Spreading:
    """The work on a conversion: requests to workers, and what has come of them.

    Args:
        planned: the plan.
        steps: the tensors.
        out: the output.
        how: has the number of threads of each task.
        needs: the workers' conditions.
        done: records of the tensors that are already written.
    """

    def __init__(
        self,
        planned: Plan,
        steps: tuple[Step, ...],
        out: Destination,
        how: Execution,
        needs: Conditions,
        done: Mapping[str, TensorRecord],
    ) -> None:
        assert needs.marker is not None
        self._steps, self._out, self._marker = steps, out, needs.marker
        names = {number: step.source.name for number, step in enumerate(steps)}
        self._records = {number: done[name] for number, name in names.items() if name in done}
        self._before = frozenset(self._records)
        self._whole = encoded_weights(steps)
        self._memory = how.memory
        self._threads = 1 if how.threads is None else thread_count(how.threads)
        self._inputs = _inputs(planned, steps, needs)
        self._loose: dict[int, LooseResult] = {}
        self._places: list[tuple[PartRecord, ...]] = []
        self._homes: list[Home] = []
        self._assemblies: dict[int, TensorAssembly] = {}

    def records(self, workers: Workers, report: Report) -> Iterator[TensorRecord]:
        """The record of each tensor, in order, once all of it is written; providers have no numbers yet."""
        for number, result in workers.results(self._loose_jobs()):
            self._loose[number] = result
            report(self._steps[number].source.name, prod(self._steps[number].source.shape))
        self._places = list(self._placed())
        self._homes = self._out.homes(self._places)
        following = 0
        for (number, piece, weights), result in workers.results(self._piece_jobs()):
            assembly = self._assemblies[number]
            assembly.add(piece, result)
            report(self._steps[number].source.name, weights)
            if not assembly.left:
                self._finish(number, self._assemblies.pop(number))
            while following in self._records:
                yield self._records.pop(following)
                following += 1
        while following in self._records:
            yield self._records.pop(following)
            following += 1

    def _finish(self, number: int, assembly: TensorAssembly) -> None:
        """Notes a tensor whose bytes are all written, for later runs to go on with."""
        record = self._records[number] = self._record(number, assembly)
        self._out.add(record.name, journal_entry(record))
        step = self._steps[number]
        how = "copied" if step.copied else "kept" if step.decision.keep else "encoded"
        tell(record, how, step.source.tag, assembly.seconds)

    def _placed(self) -> Iterator[tuple[PartRecord, ...]]:
        """The parts of each tensor, where they lie."""
        offset = HEAD_BYTES
        for number, step in enumerate(self._steps):
            if number in self._before:
                parts = self._records[number].parts
            else:
                parts = self._after(number, offset) if number in self._loose else parts_from(step, offset)
            offset = aligned(parts[-1].offset + parts[-1].nbytes) if parts else offset
            yield parts

    def _after(self, number: int, offset: int) -> tuple[PartRecord, ...]:
        """The parts of a loose tensor from an offset on; those of variable length lie last."""
        records = []
        spec, known = registry[self._steps[number].decision.tag], self._loose[number].parts
        for part in sorted(spec.parts, key=lambda part: part.variable):
            found = known[part.name]
            records.append(PartRecord(part.name, part.dtype, found.shape, offset, found.nbytes, found.sums))
            offset = aligned(offset + found.nbytes)
        return tuple(records)

    def _loose_jobs(self) -> Iterator[Job[int]]:
        """The work on tensors whose length only encoding tells; it comes first, since their neighbours' places wait."""
        for number, step in enumerate(self._steps):
            if number not in self._before and not step.copied and registry[step.decision.tag].variable:
                (piece,) = pieces(step)
                request = attrs.evolve(self._request(number, piece), loose=tuple(map(str, self._files(number))))
                yield Job(number, write_loose, (request,), step.source.name)

    def _files(self, number: int) -> list[Path]:
        """The files for the parts of a loose tensor."""
        parts = registry[self._steps[number].decision.tag].parts
        return [self._marker.sibling(f"tensor{number}-{part}") for part in range(len(parts))]

    def _piece_jobs(self) -> Iterator[Job[tuple[int, int, int]]]:
        for number, step in enumerate(self._steps):
            if number in self._before:
                continue
            records, name = self._places[number], step.source.name
            if number in self._loose:
                cut = list(self._placing_jobs(number))
            else:
                cut = [
                    Job((number, at, piece.weights), write_piece, (self._request(number, piece),), name)
                    for at, piece in enumerate(pieces(step))
                ]
            assembly = self._assemblies[number] = TensorAssembly.of(name, records, len(cut), self._out.write_at)
            if number in self._loose:
                assembly.know(self._loose[number])
            yield from cut

    def _placing_jobs(self, number: int) -> Iterator[Job[tuple[int, int, int]]]:
        """The copying of a loose tensor's parts to their places."""
        step, files, home = self._steps[number], self._files(number), self._homes[number]
        by_name = {part.name: file for part, file in zip(registry[step.decision.tag].parts, files, strict=True)}
        for at, record in enumerate(self._places[number]):
            place = PartPlace(record.offset + home.shift, record.nbytes)
            arguments = (str(by_name[record.name]), step.source.name, record.name, place)
            yield Job(
                (number, at, 0),
                place_loose,
                (*arguments, str(home.path), self._marker.path, platform.node()),
                step.source.name,
            )

    def _request(self, number: int, piece: TensorPiece) -> PieceRequest:
        step, loose = self._steps[number], not self._homes
        home = Home(self._out.target) if loose else self._homes[number]
        parts = () if loose else self._places[number]
        return PieceRequest(
            inputs=self._inputs,
            decision=step.decision,
            piece=piece,
            feedback=step.feedback,
            whole=self._whole[step.decision.tag],
            threads=self._threads,
            memory=self._memory,
            output=str(home.path),
            places={part.name: PartPlace(part.offset + home.shift, part.nbytes) for part in parts},
            marker=self._marker.path,
            master=platform.node(),
        )

    def _record(self, number: int, result: TensorAssembly) -> TensorRecord:
        step = self._steps[number]
        if step.copied:
            return copied_record(step, result.records(), None)
        error = None if step.decision.keep else result.error
        return new_record(step, result.records(), error, result.aids, None, result.feedback)


def _inputs(planned: Plan, steps: tuple[Step, ...], needs: Conditions) -> WorkerInputs:
    """The files for workers; aids that were given from Python are written into one beside the output."""
    assert needs.marker is not None
    given = {step.source.name: step.aids for step in steps if step.source.name in planned.given and not step.aids.empty}
    file = needs.marker.sibling("aids")
    if given:
        store_aids(file, given)
    calibration = (
        None if planned.calibration is None else str(Path(getattr(planned.calibration, "path", "")).absolute())
    )
    source = str(Path(planned.source.path).absolute())
    return WorkerInputs(needs.key, source, planned.source.kind, calibration, str(file) if given else None)
