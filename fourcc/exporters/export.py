"""From a checkpoint to a file of another project: a policy chooses formats, `--as` replaces those it cannot hold."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.container.index import Provider
from fourcc.conversion.done_tensors import journal_entry, notes_on, records_in, tensors_done
from fourcc.conversion.memory_need import Room
from fourcc.conversion.pipeline import Step, transcode
from fourcc.conversion.plan import CalibrationData, Plan, plan
from fourcc.errors import NumericError, PluginError, SourceError, UsageError
from fourcc.execution import Execution
from fourcc.exporters.cut_output import check_cut, is_cut, replaced_files
from fourcc.exporters.export_facts import export_facts
from fourcc.exporters.export_result import ExportResult, encoding_errors
from fourcc.exporters.fitting_formats import fitted_steps, replacement
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.exporters.writing import Files, PlacedFile
from fourcc.feedback.feedback import Feedback
from fourcc.files.backing import use_whole
from fourcc.files.folder_write import check_folder
from fourcc.files.part_file import check_output, completed
from fourcc.files.part_folder import completed_folder
from fourcc.files.part_set import completed_set
from fourcc.files.read import identity
from fourcc.files.unfinished import finished_record
from fourcc.files.write import check_space, check_target
from fourcc.policy import Policy
from fourcc.progress import counter
from fourcc.sources.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourcc.container.index import ErrorRecord, TensorRecord
    from fourcc.files.facts import Facts


_log = logging.getLogger(__name__)


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
    def gathered(self) -> dict[str, int]:
        """Bytes of tensors that are in memory together before they are written: see `Layout.gathered`."""
        return self.layout.gathered

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
    given = {"calibration": calibration, "feedback": feedback}
    first, fitted = _both(source, kind, policy, include, exclude, instead, group, given)
    idle = bool(instead) and all(map(_same, fitted.steps, first.steps))
    return laid_out(fitted, kind, [f"--as {instead} changes nothing: the file holds every tensor as it is"] * idle)


def fitted_plan(
    source: Source,
    kind: ExportKind,
    policy: Policy,
    *,
    instead: str = "",
    calibration: CalibrationData | None = None,
    feedback: str | Feedback | None = None,
    no_feedback_for: Iterable[str] = (),
) -> Plan:
    """The plan of a conversion whose every tensor a file of this kind can hold, as it then is.

    Takes and raises what `plan_export` does; `laid_out` makes an export of it.
    """
    given = {"calibration": calibration, "feedback": feedback, "no_feedback_for": no_feedback_for}
    return _both(source, kind, policy, (), (), instead, None, given)[1]


def exported_bytes(planned: Plan, kind: ExportKind) -> int:
    """The length of the file of this kind that a conversion can be exported to. Raises as `plan_export` does."""
    steps = fitted_steps(planned.source, kind, planned.steps, "", None)
    return laid_out(attrs.evolve(planned, steps=tuple(steps)), kind).file_bytes


def _both(  # noqa: PLR0913, PLR0917 - those of its two callers
    source: Source,
    kind: ExportKind,
    policy: Policy | None,
    include: Iterable[str],
    exclude: Iterable[str],
    instead: str,
    group: int | None,
    given: Mapping[str, Any],
) -> tuple[Plan, Plan]:
    """The plan that a policy makes, and the one whose tensors the file can hold."""
    if instead:
        replacement(instead)  # reports a slip even where nothing needs another format
    first = plan(source, policy or Policy.keep(), include=include, exclude=exclude, **given)
    if group is not None and (kind.replacement is None or instead or kind.folder):
        hint = "It goes with llama2.c's version 2, without --as."
        raise UsageError("--group-size does nothing here", file=source.path, hint=hint)
    kind.check(source, first.steps)
    return first, attrs.evolve(first, steps=tuple(fitted_steps(source, kind, first.steps, instead, group)))


def laid_out(planned: Plan, kind: ExportKind, notes: Iterable[str] = ()) -> ExportPlan:
    """The plan of an export, of a plan whose every tensor the file can hold; `notes` are added to its notes."""
    source, steps = planned.source, planned.steps
    layout = kind.lay_out(source, tuple(_as_stored(step) for step in steps))
    said = (*layout.notes, *(note for note in planned.notes if note not in source.notes), *notes)
    converted = tuple(step.source.name for step in steps if not step.decision.keep)
    return ExportPlan(source, kind, attrs.evolve(layout, notes=said), converted)


def _same(step: Step, other: Step) -> bool:
    return (step.decision.tag, step.decision.params) == (other.decision.tag, other.decision.params)


def _as_stored(step: Step) -> Step:
    """The step, without a search for NaN where the tensor comes from a model.bin: `convert` has already searched it."""
    if step.decision.keep and step.source.record is not None:
        return attrs.evolve(step, decision=attrs.evolve(step.decision, nonfinite=True))
    return step


def check_targets(
    planned: ExportPlan, output: Path, others: Iterable[Path] = (), *, force: bool, resume: bool = False
) -> dict[Path, bytes]:
    """The real paths that will be written, the file or folder first, and the contents of the files beside it.

    Files that are made of the result have no contents yet. Raises as `fourcc.files.part_file.check_output` does, or
    `fourcc.files.folder_write.check_folder`.
    """
    read, layout = (*planned.source.all_files, *others), planned.layout
    beside = {**layout.beside, **dict.fromkeys(layout.late, b"")}
    if is_cut(planned.kind, layout):
        return check_cut(layout, output, read, beside, force=force, resume=resume)
    if layout.shards:
        target = check_folder(output, read, (*layout.shards, *beside), force=force, resume=resume)
        return {target: b"", **{target / name: data for name, data in beside.items()}}
    target = check_output(output, read, force=force, resume=resume)
    mine = force or (resume and finished_record(target) is not None)  # they get their names before the output does
    paths = {output.with_name(name): data for name, data in beside.items()}
    return {target: b"", **{check_target(path, read, force=mine): data for path, data in paths.items()}}


def execute_export(
    planned: ExportPlan,
    targets: Mapping[Path, bytes],
    how: Execution | None = None,
) -> ExportResult:
    """Carries out a plan, or goes on with it; `targets` comes from `check_targets`.

    Raises:
        FourccError: see `fourcc.errors`; no file is then changed.
    """
    way, target = how or Execution(), next(iter(targets))
    facts = export_facts(planned.source, planned.kind, planned.layout)
    try:
        done = _done_before(planned, target, facts) if way.resume else None
        if done is not None:
            return _result(planned, targets, encoding_errors(planned.steps, done))
        return _execute(planned, targets, facts, way)
    except (NumericError, PluginError) as error:  # raised where the file's name is not known
        error.file = error.file or str(planned.source.path)
        raise


def _done_before(planned: ExportPlan, target: Path, facts: Facts) -> list[TensorRecord] | None:
    """The records of all tensors, where all was done before; else None."""
    if is_cut(planned.kind, planned.layout):
        found = completed_set(target, facts, replaced_files(planned.layout, [target]))
        done = None if found is None else found[0]
    else:
        done = (completed_folder if planned.layout.shards else completed)(target, facts)
    return None if done is None else list(records_in(planned.steps, done).values())


def _result(
    planned: ExportPlan, targets: Iterable[Path], errors: Mapping[str, ErrorRecord], said: Iterable[str] = ()
) -> ExportResult:
    target, *beside = targets
    cut = is_cut(planned.kind, planned.layout)
    shards = tuple(target.with_name(name) for name in planned.layout.shards) if cut else ()
    return ExportResult(shards[0] if shards else target, tuple(beside), errors, tuple(said), shards)


def _execute(planned: ExportPlan, targets: Mapping[Path, bytes], facts: Facts, how: Execution) -> ExportResult:
    source, (target, *beside) = planned.source, targets
    room = Room.of(planned, how)
    room.begin()
    count = room.threads
    stamps = [identity(path) for path in source.files]
    scratch = use_whole(source.files)
    report = counter(planned.weights, how.progress)
    _log.info("writing %s with %d threads: %s, about %d bytes", target, count, planned.kind.name, planned.file_bytes)
    replaced = replaced_files(planned.layout, targets) if is_cut(planned.kind, planned.layout) else None
    with Files(target, planned.layout, facts, how, replaced) as files:
        files.hopeless = not source.files
        check_space(target, planned.file_bytes - files.output.size + scratch)
        done = tensors_done(files, planned.steps, records_in(planned.steps, files.done), count, report)
        said = notes_on(files, done, len(planned.steps), resume=how.resume)
        sink, providers = PlacedFile(files.output, planned.layout), dict[Provider, int]()
        records = []
        for record in transcode(planned.steps, sink, providers, room, report, done):
            records.append(record)
            if record.name not in done:
                files.add(record.name, journal_entry(record))
        if how.resume:
            sink.clear(records)
        sink.finish(planned.layout.nbytes)
        for path, stamp in zip(source.files, stamps, strict=True):
            if identity(path) != stamp:
                files.hopeless = True
                raise SourceError("the file changed while it was read", file=path, hint="Export it again.")
        errors, late = encoding_errors(planned.steps, records), planned.layout.late
        for path in beside:
            files.put(path, late[path.name](errors) if path.name in late else targets[path])
    return _result(planned, targets, errors, said)
