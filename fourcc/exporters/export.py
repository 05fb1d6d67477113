"""From a checkpoint to a file of another project: a policy chooses formats, `--as` replaces those it cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.container.index import Provider
from fourcc.conversion.measured_errors import lost
from fourcc.conversion.pipeline import Step, transcode
from fourcc.conversion.plan import CalibrationData, describe, plan
from fourcc.errors import NumericError, PluginError, SourceError, UsageError, listed
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.exporters.writing import Files, PlacedFile
from fourcc.feedback.feedback import Feedback
from fourcc.files.folder_write import check_folder
from fourcc.files.read import identity
from fourcc.files.write import check_space, check_target
from fourcc.format import Aids
from fourcc.plugins.registry import registry
from fourcc.policy import Decision, Policy
from fourcc.progress import OnProgress, counter
from fourcc.sources.extent import single_part_spec
from fourcc.sources.source import Source
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourcc.container.index import ErrorRecord

_SHOWN = 6  # names in a message


@attrs.frozen(eq=False)
class ExportPlan:
    """The plan of an export, decided before anything is written.

    Attributes:
        source: the opened checkpoint.
        kind: the kind of file.
        layout: the layout of the file.
        converted: names, in the source, of the tensors that are not written as they are stored.
    """

    source: Source
    kind: ExportKind
    layout: Layout
    converted: tuple[str, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The tensors, by their names in the file."""
        return self.layout.steps

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, without padding."""
        return sum(step.decision.nbytes for step in self.steps)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(prod(step.source.shape) for step in self.steps)

    @property
    def file_bytes(self) -> int:
        """Length of the file."""
        return self.layout.nbytes


@attrs.frozen
class ExportResult:
    """The result of an export.

    Attributes:
        path: the file.
        beside: further files that were written.
        errors: the errors of every tensor that was encoded, by its name in the file.
    """

    path: Path
    beside: tuple[Path, ...]
    errors: Mapping[str, ErrorRecord]

    @property
    def notes(self) -> list[str]:
        """Notes on tensors whose error is so large that hardly anything is left of them."""
        return lost(self.errors)


def plan_export(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: Source,
    kind: ExportKind,
    policy: Policy | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    *,
    instead: str = "",
    group: int | None = None,
    calibration: CalibrationData | None = None,
    feedback: str | Feedback | None = None,
) -> ExportPlan:
    """Decides how every tensor is written; writes nothing.

    Args:
        source: an opened checkpoint.
        kind: the kind of file to write.
        policy: the formats that tensors get first; None: they stay as they are stored.
        include: globs of tensor names; none: all.
        exclude: globs of names left out.
        instead: ``Q,R``: formats for tensors that the file cannot hold; empty: the kind's own choice.
        group: number of weights that share a scale, where the kind lets the user choose it.
        calibration: as `fourcc.conversion.plan.plan` takes it, for the tensors that are encoded.
        feedback: likewise.

    Raises:
        PolicyError: the policy, or `instead`, does not go with these tensors.
        UsageError: the file cannot hold a tensor, or the model does not state what the file must.
    """
    if instead:
        _replacement(instead)  # reports a slip even where nothing needs another format
    first = plan(
        source,
        policy or Policy.keep(),
        include=include,
        exclude=exclude,
        calibration=calibration,
        feedback=feedback,
    )
    if group is not None and (kind.replacement is None or instead or kind.folder):
        hint = "It goes with llama2.c's version 2, without --as."
        raise UsageError("--group-size does nothing here", file=source.path, hint=hint)
    kind.check(source, first.steps)
    steps = _fitted(source, kind, first.steps, instead, group)
    carried = tuple(_as_stored(step) for step in steps)
    layout = kind.lay_out(source, carried)
    layout = attrs.evolve(layout, notes=(*layout.notes, *(note for note in first.notes if note not in source.notes)))
    if instead and all(map(_same, steps, first.steps)):
        idle = f"--as {instead} changes nothing: the file holds every tensor as it is"
        layout = attrs.evolve(layout, notes=(*layout.notes, idle))
    converted = tuple(step.source.name for step in steps if not step.decision.keep)
    return ExportPlan(source, kind, layout, converted)


def _same(step: Step, other: Step) -> bool:
    return (step.decision.tag, step.decision.params) == (other.decision.tag, other.decision.params)


def _fitted(source: Source, kind: ExportKind, steps: tuple[Step, ...], instead: str, group: int | None) -> list[Step]:
    """The steps, with another format for every tensor that the file cannot hold as it was decided."""
    unfit = [step for step in steps if not _held(kind, step.decision, group)]
    if not unfit:
        return list(steps)
    if kind.replacement is not None and not instead:
        policy = kind.replacement(source, steps, group)
    else:
        _refuse_matrices(source, kind, unfit, instead)
        policy = _replacement(instead)
    replaced = {step.source.name: step for step in _replaced(source, unfit, policy)}
    still_unfit = [step for step in replaced.values() if not _held(kind, step.decision, group)]
    if still_unfit:
        raise _refusal(source, kind, still_unfit, "Give --as other formats, or leave them out with --exclude.")
    return [replaced.get(step.source.name, step) for step in steps]


def _refuse_matrices(source: Source, kind: ExportKind, unfit: list[Step], instead: str) -> None:
    """Refuses matrices that the file cannot hold, where neither `--as` nor the kind says what they become."""
    matrices = [step for step in unfit if len(step.source.shape) > 1]
    if matrices and not instead and not kind.decodes:
        hint = "--as TAG says what they become; --as TAG,TAG names another for rows that do not fit."
        raise _refusal(source, kind, matrices, hint)


def _replaced(source: Source, unfit: list[Step], policy: Policy) -> Iterator[Step]:
    """The steps as a policy for their tensors decides them, without the calibration data of the first decision."""
    tied = bool(source.hyper.get("tied_embeddings", False))
    decisions = policy.resolve([describe(step.source, tied=tied) for step in unfit])
    for step, decision in zip(unfit, decisions, strict=True):
        instead_of = None if decision.tag == step.decision.tag else step.decision.tag
        replaced = attrs.evolve(decision, rule=step.decision.rule, fallback_from=instead_of)
        yield attrs.evolve(step, decision=replaced, aids=Aids(), feedback=None)


def _replacement(instead: str) -> Policy:
    """The policy of `--as` for tensors that the file cannot hold; without it vectors become 32-bit floats."""
    narrow = registry.foreign("numpy", "<f4")
    assert narrow is not None  # among the formats of this package
    policy = Policy.shorthand(instead or str(narrow.tag), option="--as")
    return attrs.evolve(policy, rules=tuple(attrs.evolve(rule, optional=True) for rule in policy.rules))


def _held(kind: ExportKind, decision: Decision, group: int | None) -> bool:
    """Whether the file can hold the tensor as it was decided; False for groups of another size than the wanted one."""
    if group is not None and decision.params.get("group", group) != group:
        return False
    try:
        spec = registry[decision.tag]
    except PluginError:  # the format is missing or broken, so its layout is not known
        return False
    plain = single_part_spec(spec) and spec.block == (1, 1)
    return (plain or kind.blocks(decision.tensor)) and kind.holds(spec, decision.params, decision.tensor.shape)


def _refusal(source: Source, kind: ExportKind, steps: list[Step], hint: str) -> UsageError:
    tags = ", ".join(sorted({str(step.decision.tag) for step in steps}))
    names = listed((step.source.name for step in steps), _SHOWN)
    what = f"{kind.name} has no place for {len(steps)} tensor{'s' * (len(steps) != 1)} in {tags}: {names}"
    return UsageError(what, file=source.path, hint=hint)


def _as_stored(step: Step) -> Step:
    """The step, without a search for NaN where the tensor comes from a model.bin: `convert` has already searched it."""
    if step.decision.keep and step.source.record is not None:
        return attrs.evolve(step, decision=attrs.evolve(step.decision, nonfinite=True))
    return step


def check_targets(planned: ExportPlan, output: Path, others: Iterable[Path] = (), *, force: bool) -> dict[Path, bytes]:
    """The real paths that will be written, the file or folder first, and the contents of the files beside it.

    Files that are made of the result have no contents yet. Raises as `fourcc.files.write.check_target` does, or
    `fourcc.files.folder_write.check_folder`.
    """
    read, layout = (*planned.source.all_files, *others), planned.layout
    beside = {**layout.beside, **dict.fromkeys(layout.late, b"")}
    if layout.shards:
        target = check_folder(output, read, (*layout.shards, *beside), force=force)
        return {target: b"", **{target / name: data for name, data in beside.items()}}
    paths = {output: b"", **{output.with_name(name): data for name, data in beside.items()}}
    return {check_target(path, read, force=force): data for path, data in paths.items()}


def execute_export(
    planned: ExportPlan,
    targets: Mapping[Path, bytes],
    *,
    threads: int | None = None,
    progress: OnProgress | None = None,
) -> ExportResult:
    """Carries out a plan; `targets` comes from `check_targets`.

    Raises:
        FourccError: see `fourcc.errors`; no file is then changed.
    """
    try:
        return _execute(planned, targets, thread_count(threads), progress)
    except (NumericError, PluginError) as error:  # raised where the file's name is not known
        error.file = error.file or str(planned.source.path)
        raise


def _execute(
    planned: ExportPlan, targets: Mapping[Path, bytes], count: int, progress: OnProgress | None
) -> ExportResult:
    source, (target, *beside) = planned.source, targets
    stamps = [identity(path) for path in source.files]
    check_space(target, planned.file_bytes)
    with Files(target, planned.layout) as files:
        sink = PlacedFile(files.output, planned.layout)
        providers: dict[Provider, int] = {}
        report = counter(planned.weights, progress)
        records = list(transcode(planned.steps, sink, providers, count, report))
        sink.finish(planned.layout.nbytes)
        for path, stamp in zip(source.files, stamps, strict=True):
            if identity(path) != stamp:
                raise SourceError("the file changed while it was read", file=path, hint="Export it again.")
        encoded = [record for step, record in zip(planned.steps, records, strict=True) if not step.decision.keep]
        errors = {record.name: record.error for record in encoded if record.error is not None}
        late = planned.layout.late
        for path in beside:
            files.put(path, late[path.name](errors) if path.name in late else targets[path])
    return ExportResult(target, tuple(beside), errors)
