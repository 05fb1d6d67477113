"""From a checkpoint and a policy to a model.bin: plan, then one pass over the tensors in a bounded window of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from fnmatch import fnmatchcase
from math import prod
from pathlib import Path

import attrs

from fourcc.container.fields import MAX_DIMENSIONS, MAX_NAME_BYTES
from fourcc.container.index import Index, Provider, SourceRecord
from fourcc.container.layout import HEAD_BYTES, SUM_BYTES, TAIL_BYTES, aligned, sum_count
from fourcc.container.writer import Writer
from fourcc.conversion.pipeline import Progress, Step, lost, reporter, transcode
from fourcc.encoding import check_needs
from fourcc.errors import NumericError, PluginError, SourceError, UsageError
from fourcc.files.read import ReadFile, identity
from fourcc.files.write import AtomicFile, check_name, check_space, check_target
from fourcc.format import Aids
from fourcc.naming import layer, roles
from fourcc.networks import left_out
from fourcc.policy import Policy, TensorInfo
from fourcc.registry import registry
from fourcc.sources import open_source, warnings
from fourcc.sources.foreign_weights import refuse_encoding
from fourcc.sources.model_bin import POLICY_BLOB
from fourcc.sources.source import Source, SourceTensor
from fourcc.threads import thread_count

INDEX_GUESS = 2048  # bytes of index a tensor, for the estimate of the output's size


@attrs.frozen(eq=False)
class Plan:
    """What a conversion will do, decided before anything is written.

    Attributes:
        source: the opened checkpoint.
        policy: what decided.
        steps: the tensors, in the order in which they are written.
    """

    source: Source
    policy: Policy
    steps: tuple[Step, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, without padding."""
        return sum(step.decision.nbytes for step in self.steps)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(prod(step.source.shape) for step in self.steps)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the source; what keeps the output from being run, and what it will lack."""
        source, taken = self.source, {step.source.name for step in self.steps}
        of_all = warnings(source)
        lacking = left_out(source.architecture, (tensor.name for tensor in source.tensors), taken)
        return (*(note for note in source.notes if note not in of_all), *warnings(source, taken), *lacking)

    @property
    def file_bytes(self) -> int:
        """Estimate of the output's length: a little more than it will be."""
        blobs = [*map(len, self.source.blobs.values()), len(self.policy.text)]
        tensors = sum(
            aligned(step.decision.nbytes + 256) + SUM_BYTES * sum_count(step.decision.nbytes) for step in self.steps
        )
        payload = tensors + sum(map(aligned, blobs))
        return HEAD_BYTES + payload + INDEX_GUESS * (1 + len(self.steps)) + TAIL_BYTES


@attrs.frozen(repr=False)
class Result:
    """What a conversion did.

    Attributes:
        path: the output.
        digest: the file's id.
        index: what the output says of itself.
        notes: what the reader found odd, and tensors of which hardly anything is left.
    """

    path: Path
    digest: bytes
    index: Index
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        tensors, bits = len(self.index.tensors), float(self.index.bits_per_weight)
        return f"<Result {self.path}: {tensors} tensors, {self.index.weights} weights, {bits:.4g} bits per weight>"


def plan(
    source: Source,
    policy: Policy,
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    aids: Mapping[str, Aids] | None = None,
) -> Plan:
    """Decides every tensor's format; reads no weight and writes nothing.

    Args:
        source: an opened checkpoint.
        policy: the rules.
        include: globs of tensor names; none: all.
        exclude: globs of names left out.
        aids: calibration data by tensor name.

    Raises:
        PolicyError: the policy does not go with these tensors, with every reason.
        UsageError: a glob matches nothing, or a format needs calibration data that is not given.
    """
    tensors = _selected(source, tuple(include), tuple(exclude))
    tied = bool(source.hyper.get("tied_embeddings", False))
    everything = [describe(tensor, tied=tied) for tensor in source.tensors]
    decisions = policy.resolve(everything, wanted={tensor.name for tensor in tensors})
    aids = aids or {}
    steps = tuple(
        Step(tensor, decision, aids.get(tensor.name, Aids()))
        for tensor, decision in zip(tensors, decisions, strict=True)
    )
    refuse_encoding(source, (step.source.name for step in steps if not step.decision.keep))
    for step in steps:
        _check_storable(step.source, source.path)
        _check_step(step)
    return Plan(source, policy, steps)


def describe(tensor: SourceTensor, *, tied: bool) -> TensorInfo:
    """What a policy may ask of a tensor."""
    try:
        real = registry[tensor.tag].spec.real
    except PluginError:  # missing or broken: it can still be kept
        real = True
    return TensorInfo(
        name=tensor.name,
        shape=tensor.shape,
        roles=roles(tensor.name, tied=tied),
        layer=layer(tensor.name),
        tag=tensor.tag,
        params=tensor.params,
        real=real,
        nbytes=None if tensor.record is None else tensor.record.nbytes,
    )


def convert(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: str | Path,
    output: str | Path,
    *,
    policy: Policy | str | Path | None = None,
    tokenizer: str | Path | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    aids: Mapping[str, Aids] | None = None,
    threads: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Converts a checkpoint.

    Args:
        source: a checkpoint's file or folder, or a model.bin.
        output: the model.bin to write.
        policy: gives every tensor its format: a policy, its file, or its text (`Policy.of`); None keeps all as stored.
        tokenizer: a tokenizer file to store with the model.
        include: globs of the names of tensors to take; none: all.
        exclude: globs of names to leave out.
        aids: calibration data by tensor name.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use. The bytes do not depend on it.
        force: replace an existing output.
        progress: called after every tile.

    Returns:
        What was done.

    Raises:
        FourccError: see `fourcc.errors`; the output is then as it was.
    """
    rules = Policy.of(policy)
    check_name(Path(output))
    with open_source(Path(source), None if tokenizer is None else Path(tokenizer)) as opened:
        target = check_target(Path(output), opened.all_files, force=force)
        planned = plan(opened, rules, include=include, exclude=exclude, aids=aids)
        return execute(planned, target, threads=threads, progress=progress)


def execute(
    planned: Plan, target: Path | AtomicFile, *, threads: int | None = None, progress: Progress | None = None
) -> Result:
    """Carries out a plan; `target` is from `check_target`, or the output itself. Raises as `convert` does."""
    output = target if isinstance(target, AtomicFile) else AtomicFile(target)
    try:
        return _execute(planned, output, thread_count(threads), progress)
    except (NumericError, PluginError) as error:  # raised where the file is not known
        error.file = error.file or str(planned.source.path)
        raise


def _execute(planned: Plan, output: AtomicFile, count: int, progress: Progress | None) -> Result:
    source = planned.source
    stamps = [identity(path) for path in source.files]
    check_space(output.target, planned.file_bytes)
    with output as out:
        writer = Writer(out)
        providers: dict[Provider, int] = {}
        report = reporter(planned.weights, progress)
        for record in transcode(planned.steps, writer, providers, count, report):
            writer.add(record)
        blobs = {**source.blobs, POLICY_BLOB: planned.policy.text.encode()}
        for name, data in blobs.items():
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
                raise SourceError("the file changed while it was converted", file=path, hint="Convert it again.")
    errors = {record.name: record.error for record in index.tensors if record.error is not None}
    return Result(output.target, digest, index, (*planned.notes, *lost(errors)))


def chosen(source: Source, include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a tensor of a name is wanted. Raises UsageError where a glob matches none."""
    names = [tensor.name for tensor in source.everything]
    for option, globs in (("--include", include), ("--exclude", exclude)):
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                raise UsageError(f"{option} {glob!r} matches no tensor", hint="`fourcc inspect` lists the names.")

    def wanted(name: str) -> bool:
        included = not include or any(fnmatchcase(name, glob) for glob in include)
        return included and not any(fnmatchcase(name, glob) for glob in exclude)

    return wanted


def _selected(source: Source, include: tuple[str, ...], exclude: tuple[str, ...]) -> list[SourceTensor]:
    wanted = chosen(source, include, exclude)
    source.refuse_unreadable(wanted)
    tensors = [tensor for tensor in source.tensors if wanted(tensor.name)]
    if source.tensors and not tensors:
        what = f"--include and --exclude leave none of the {len(source.tensors)} tensors"
        raise UsageError(what, file=source.path, hint="`fourcc inspect` lists the names.")
    return tensors


def _check_storable(tensor: SourceTensor, file: Path) -> None:
    """Refuses a name or a shape that no container can hold, before any weight is read."""
    if "\0" in tensor.name or not 1 <= len(tensor.name.encode()) <= MAX_NAME_BYTES:
        expected = f"1 to {MAX_NAME_BYTES} bytes without NUL"
        raise SourceError("the tensor's name cannot be stored", file=file, tensor=tensor.name, expected=expected)
    if len(tensor.shape) > MAX_DIMENSIONS:
        found, expected = f"{len(tensor.shape)} dimensions", f"at most {MAX_DIMENSIONS}"
        raise SourceError("the shape cannot be stored", file=file, tensor=tensor.name, found=found, expected=expected)


def _check_step(step: Step) -> None:
    """Refuses what would fail only when the tensor's turn comes."""
    if step.decision.keep:
        return
    _ = step.source.format  # must be there to decode
    check_needs(registry[step.decision.tag], step.aids, step.source.shape, step.source.name)


def _source_record(kind: str, path: Path) -> SourceRecord:
    """Kind, length and XXH3-128 of a source's file, read once more from end to end."""
    from xxhash import xxh3_128

    digest = xxh3_128()
    with closing(ReadFile(path, SourceError)) as file:
        for start in range(0, file.size, 1 << 20):
            digest.update(file.read(start, min(1 << 20, file.size - start)))
        return SourceRecord(kind, file.size, digest.digest())
