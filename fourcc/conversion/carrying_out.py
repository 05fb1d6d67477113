"""Carrying out the plan of a conversion: in one pass over the tensors, in a bounded window of memory, or by workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import attrs
from xxhash import xxh3_128

from fourcc.container.index import Index, Provider, SourceRecord, TensorRecord
from fourcc.container.layout import HEAD_BYTES
from fourcc.container.reader import ModelFile
from fourcc.container.shard_files import ShardFiles, ShardTarget, completed_shards
from fourcc.container.shard_writer import ShardWriter
from fourcc.container.writer import Writer
from fourcc.conversion.done_tensors import in_their_places, journal_entry, notes_on, records_in, tensors_done
from fourcc.conversion.kept_policy import numbered_as_before
from fourcc.conversion.measured_errors import lost
from fourcc.conversion.memory_need import Room
from fourcc.conversion.pipeline import transcode
from fourcc.conversion.plan import Plan
from fourcc.conversion.plan_facts import plan_facts
from fourcc.conversion.result import Result
from fourcc.conversion.source_digests import SourceDigests
from fourcc.conversion.step import Step
from fourcc.errors import NumericError, PluginError, SourceError
from fourcc.execution import Execution
from fourcc.files.backing import backing_of, use_whole
from fourcc.files.facts import Facts
from fourcc.files.part_file import PartFile, completed
from fourcc.files.read import ReadFile, identity
from fourcc.files.write import AtomicFile, check_space
from fourcc.progress import Count, counter

_log = logging.getLogger(__name__)


def execute(planned: Plan, target: Path | AtomicFile | ShardTarget, how: Execution | None = None) -> Result:
    """Carries out a plan; `target` comes from `check_model_output`, or is the output itself. Raises as `convert`."""
    way = how or Execution()
    try:
        if isinstance(target, AtomicFile):
            return _execute(planned, target, way)
        return _to_file(planned, target, way)
    except (NumericError, PluginError) as error:  # raised where the file's name is not known
        error.file = error.file or str(planned.source.path)
        raise


def _to_file(planned: Plan, target: Path | ShardTarget, how: Execution) -> Result:
    """Carries out a plan, or goes on with it."""
    facts = plan_facts(planned)
    if isinstance(target, ShardTarget):
        facts["shard size"] = target.largest
    written = _written_before(target, facts) if how.resume else None
    if written is not None:
        with ModelFile(written) as file:
            return Result(written, file.digest, file.index, (*planned.notes, *_lost(file.index)), file.files)
    if isinstance(target, ShardTarget):
        return _execute(planned, ShardFiles(target, facts, resume=how.resume, anew=how.anew), how)
    return _execute(planned, PartFile(target, facts, resume=how.resume, anew=how.anew), how)


def _written_before(target: Path | ShardTarget, facts: Facts) -> Path | None:
    """The output of an earlier run that lacked nothing but its name; None where there is work to do."""
    if isinstance(target, ShardTarget):
        return completed_shards(target, facts)
    return None if completed(target, facts) is None else target


def _execute(planned: Plan, output: AtomicFile | ShardFiles, how: Execution) -> Result:
    """Writes the file, or the set of files."""
    room, source = Room.of(planned, how), planned.source
    room.begin()
    stamps, scratch = [identity(path) for path in source.files], use_whole(source.files)
    output.hopeless = not source.files
    with output as out:
        check_space(out.target, planned.file_bytes - out.size + scratch)
        run = _OpenConversion(planned, out, room, how, numbered_as_before(source, planned.policy, planned.steps))
        digest, index = run.written()
        for path, stamp in zip(source.files, stamps, strict=True):
            if identity(path) != stamp:
                out.hopeless = True
                raise SourceError("the file changed while it was converted", file=path, hint="Convert it again.")
    path, files = (out.written, out.paths) if isinstance(out, ShardFiles) else (output.target, (output.target,))
    return Result(path, digest, index, (*planned.notes, *run.notes, *_lost(index)), files)


@attrs.define(eq=False)
class _OpenConversion:
    """The work on an output that is open.

    Attributes:
        planned: the plan.
        out: the output; it knows what an earlier run has done.
        room: the memory, and the threads.
        how: the rest.
        steps: the tensors, in their order.
        notes: on what was gone on with; once it is written.
    """

    planned: Plan
    out: AtomicFile | ShardFiles
    room: Room
    how: Execution
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = attrs.field(default=(), init=False)

    def written(self) -> tuple[bytes, Index]:
        """Writes all that is not done; the file's id, and its index."""
        source, out, providers = self.planned.source, self.out, dict[Provider, int]()
        report = counter(self.planned.weights, self.how.progress)
        done = self._done_before(report)
        digests, writer = SourceDigests(source.files, out.done), _writer(out)
        for record in self._records(writer, providers, report, done):
            writer.add(record)
            if record.name not in out.done:
                out.add(record.name, digests.added(journal_entry(record)))
        for name, data in self.planned.blobs.items():
            writer.blob(name, data)
        index = Index(
            tensors=(),
            architecture=source.architecture,
            hyper=source.hyper,
            sources=tuple(_source_record(source.kind, path) for path in source.files),
            providers=tuple(providers),
        )
        return writer.finish(index)

    def _done_before(self, report: Count) -> Mapping[str, TensorRecord]:
        """The records of the tensors that an earlier run has written, whose bytes are as they should be."""
        out, steps = self.out, self.steps
        known = dict(in_their_places(steps, records_in(steps, out.done), HEAD_BYTES))
        done = tensors_done(out, steps, known, self.room.threads, report)
        self.notes = tuple(notes_on(out, done, len(steps), resume=self.how.resume))
        told = "writing %s with %d threads: about %d bytes"
        _log.info(told, out.target, self.room.threads, self.planned.file_bytes)
        return done

    def _records(
        self,
        writer: Writer | ShardWriter,
        providers: dict[Provider, int],
        report: Count,
        done: Mapping[str, TensorRecord],
    ) -> Iterator[TensorRecord]:
        """The records of all tensors, in order; the parts of each are written when its record comes."""
        if self.how.executor is not None and isinstance(self.out, (PartFile, ShardFiles)):
            from fourcc.conversion.spread.destination import Destination  # loaded where there are workers
            from fourcc.conversion.spread.tensors import spread

            place = Destination(self.out, writer)
            return spread(self.planned, self.steps, place, providers, self.how, report, done)
        return transcode(self.steps, writer, providers, self.room, report, done)


def _writer(out: AtomicFile | ShardFiles) -> Writer | ShardWriter:
    return out.writer() if isinstance(out, ShardFiles) else Writer(out)


def _lost(index: Index) -> list[str]:
    """A note on tensors of which hardly anything is left; the error of weights tells little where there is feedback."""
    plain = (record for record in index.tensors if record.feedback is None)
    return lost({record.name: record.error for record in plain if record.error is not None})


def _source_record(kind: str, path: Path) -> SourceRecord:
    """Kind, length and XXH3-128 of a source's file: one of this machine is read once more from end to end."""
    backing, digest = backing_of(path), xxh3_128()
    if backing is not None:
        return SourceRecord(kind, path.stat().st_size, backing.digest())
    with closing(ReadFile(path, SourceError)) as file:
        for start in range(0, file.size, 1 << 20):
            digest.update(file.read(start, min(1 << 20, file.size - start)))
        return SourceRecord(kind, file.size, digest.digest())
