"""Converting: a plan carried out in one pass over the tensors, in a bounded window of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Literal

import attrs
from xxhash import xxh3_128

from fourcc.container.index import Index, Provider, SourceRecord, TensorRecord
from fourcc.container.layout import HEAD_BYTES
from fourcc.container.reader import ModelFile
from fourcc.container.shard_files import ShardFiles, ShardTarget, check_model_output, completed_shards
from fourcc.container.tensor_mapping import tensor_fields
from fourcc.container.writer import Writer
from fourcc.conversion.done_tensors import in_their_places, journal_entry, notes_on, records_in, tensors_done
from fourcc.conversion.kept_policy import numbered_as_before
from fourcc.conversion.measured_errors import lost
from fourcc.conversion.memory_need import Room
from fourcc.conversion.pipeline import transcode
from fourcc.conversion.plan import CalibrationData, Plan, plan
from fourcc.conversion.plan_facts import plan_facts
from fourcc.conversion.source_digests import SourceDigests
from fourcc.errors import NumericError, PluginError, SourceError
from fourcc.execution import Execution
from fourcc.feedback.feedback import Feedback
from fourcc.files.backing import backing_of, use_whole
from fourcc.files.facts import Facts
from fourcc.files.part_file import PartFile, completed
from fourcc.files.read import ReadFile, identity
from fourcc.files.write import AtomicFile, check_name, check_space
from fourcc.format import Aids
from fourcc.policy import Policy
from fourcc.policy.amounts import memory_cap
from fourcc.progress import OnProgress, counter
from fourcc.records import Records
from fourcc.sources import open_source
from fourcc.sources.elsewhere import DOWNLOAD, streaming

_log = logging.getLogger(__name__)


@attrs.frozen(repr=False)
class Result(Records):
    """The result of a conversion.

    Attributes:
        path: the output.
        digest: the file's id.
        index: the output's index.
        notes: the plan's notes, and one on tensors of which hardly anything is left.
        files: the files that hold the model: the output, or its shards, whose list the output then is.
    """

    path: Path
    digest: bytes
    index: Index
    notes: tuple[str, ...]
    files: tuple[Path, ...]

    def records(self) -> list[dict[str, Any]]:
        """The output's tensors, with the fields of `fourcc.open(path).records()`."""
        tied = bool(self.index.hyper.get("tied_embeddings", False))
        return [
            tensor_fields(each.name, each.shape, str(each.tag), each.nbytes, each, tied=tied)
            for each in self.index.tensors
        ]

    def _repr_html_(self) -> str:
        """HTML for notebooks: the output's tensors as a map of layers and kinds."""
        from fourcc.drawing import notebook

        notes = {f"note {number}": note for number, note in enumerate(self.notes, 1)}
        return notebook.output(
            notebook.heading(repr(self).strip("<>").replace(str(self.path), self.path.name)),
            notebook.known_facts(notes),
            notebook.tensors(self.records()),
        )

    def __repr__(self) -> str:
        tensors, bits = len(self.index.tensors), float(self.index.bits_per_weight)
        return f"<Result {self.path}: {tensors} tensors, {self.index.weights} weights, {bits:.4g} bits per weight>"


def convert(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: str | Path,
    output: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of `--format`
    recipe: str | None = None,
    policy: Policy | str | Path | None = None,
    tokenizer: str | Path | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    aids: Mapping[str, Aids] | None = None,
    feedback: str | Feedback | None = None,
    no_feedback_for: Iterable[str] = (),
    calibration: CalibrationData | None = None,
    activations: Literal["static"] | None = None,
    shard_size: str | int | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    force: bool = False,
    stream: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: OnProgress | None = None,
) -> Result:
    """Converts a checkpoint to a model.bin.

    Args:
        source: a checkpoint's file or folder, a model.bin, or a model on a hub, such as ``hf://org/name@revision``.
        output: the model.bin to write.
        format: ``Q,R``: tag Q, or else R, for every tensor of two dimensions and more, such as ``"Q4_0,F16"``.
        recipe: a policy that this package ships, such as ``"Q4_K_M"``.
        policy: a policy, the path of its file, or its text: a text with a newline or ``=`` in it is TOML. Without a
            format, a recipe or a policy, every tensor is kept as it is stored.
        tokenizer: a tokenizer file to store with the model.
        include: globs of names of tensors to take; none: all.
        exclude: globs of names to leave out.
        aids: calibration data by tensor name.
        feedback: ``"gptq"``, or the settings: chooses codes with error feedback in tensors that have a `hessian`, but
            not in embeddings.
        no_feedback_for: globs of roles, such as ``"ffn.down"``, whose tensors are encoded without error feedback.
        calibration: a calibration file of this model, opened by `fourcc.open_calibration`, or llama.cpp's importance
            matrix; encoders that can use it weigh errors by it.
        activations: ``static``: store ranges of activations, from the calibration; None: those that the source has.
        shard_size: bytes of tensors that a file holds at most, such as ``"5GB"``: ``model.bin`` then stands for
            ``model-00001-of-00003.bin`` and so on, and ``model.index.json``. None: one file, however large.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use. The bytes do not depend on it.
        memory: the most bytes of resident memory that this process takes, such as ``"2GB"``; what cannot be converted
            in them is refused before anything is written. None: no cap. The bytes do not depend on it.
        force: replace an existing output, and begin unfinished work beside it anew.
        stream: download file after file of a model on a hub, each in the place of the one before, beside the output.
        resume: go on where this very conversion was interrupted; with `force`, an existing output is replaced.
        executor: runs the work, such as a `concurrent.futures.ProcessPoolExecutor`, or the one of a dask client
            (``Client.get_executor(pure=False)``); None: threads of this process. The bytes do not depend on it.
        progress: called after every tile, or every piece that a worker has done.

    Returns:
        The output's path, id and index, and notes.

    Raises:
        UsageError: more than one of `format`, `recipe` and `policy` is given, or another argument is wrong.
        PolicyError: the policy cannot be carried out, or what it expects of the file would not hold.
        FourccError: see `fourcc.errors`; the output is then as it was.
    """
    rules = Policy.chosen(format=format, recipe=recipe, policy=policy)
    how = Execution(
        threads=threads, memory=memory_cap(memory), anew=force, resume=resume, executor=executor, progress=progress
    )
    check_name(Path(output))
    transfer = streaming(Path(source), Path(output)) if stream else DOWNLOAD
    with open_source(Path(source), None if tokenizer is None else Path(tokenizer), transfer) as opened:
        target = check_model_output(Path(output), opened.all_files, shard_size=shard_size, force=force, resume=resume)
        planned = plan(
            opened,
            rules,
            include=include,
            exclude=exclude,
            aids=aids,
            calibration=calibration,
            feedback=feedback,
            no_feedback_for=no_feedback_for,
            activations=activations,
        )
        planned.refuse_unmet()
        return execute(planned, target, how)


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


def _on_workers(out: PartFile | ShardFiles, writer: Writer) -> Callable[..., Iterator[TensorRecord]]:
    """`spread` into an output; what it needs is loaded where there are workers, since every conversion imports this."""
    from fourcc.conversion.spread.destination import Destination
    from fourcc.conversion.spread.tensors import spread

    return partial(spread, out=Destination(out, writer))


def _execute(planned: Plan, output: AtomicFile | ShardFiles, how: Execution) -> Result:
    source, room = planned.source, Room.of(planned, how)
    room.begin()
    stamps = [identity(path) for path in source.files]
    scratch = use_whole(source.files)
    steps = numbered_as_before(source, planned.policy, planned.steps)
    report = counter(planned.weights, how.progress)
    output.hopeless = not source.files
    with output as out:
        check_space(out.target, planned.file_bytes - out.size + scratch)
        known = dict(in_their_places(steps, records_in(steps, out.done), HEAD_BYTES))
        done = tensors_done(out, steps, known, room.threads, report)
        said = notes_on(out, done, len(steps), resume=how.resume)
        _log.info("writing %s with %d threads: about %d bytes", out.target, room.threads, planned.file_bytes)
        digests = SourceDigests(source.files, out.done)
        writer = out.writer() if isinstance(out, ShardFiles) else Writer(out)
        providers: dict[Provider, int] = {}
        if how.executor is not None and isinstance(out, (PartFile, ShardFiles)):
            records = _on_workers(out, writer)(planned, steps, providers=providers, how=how, report=report, done=done)
        else:
            records = transcode(steps, writer, providers, room, report, done)
        for record in records:
            writer.add(record)
            if record.name not in out.done:
                out.add(record.name, digests.added(journal_entry(record)))
        for name, data in planned.blobs.items():
            writer.blob(name, data)
        index = Index(
            tensors=(),
            architecture=source.architecture,
            hyper=source.hyper,
            sources=tuple(_source_record(source.kind, path) for path in source.files),
            providers=tuple(providers),
        )
        digest, index = writer.finish(index)
        for path, stamp in zip(source.files, stamps, strict=True):
            if identity(path) != stamp:
                out.hopeless = True
                raise SourceError("the file changed while it was converted", file=path, hint="Convert it again.")
    written, files = (out.written, out.paths) if isinstance(out, ShardFiles) else (output.target, (output.target,))
    return Result(written, digest, index, (*planned.notes, *said, *_lost(index)), files)


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
