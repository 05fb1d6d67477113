"""The work of a quantization: plans, trials in temporary files, and what is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.calibration.asked_options import default_options, spelled_option
from fourcc.calibration.conversion_trials import ConversionTrials, OnStage, write_model
from fourcc.calibration.rehearsal import rehearse
from fourcc.calibration.to_budget import best_within
from fourcc.calibration.two_texts import two_texts
from fourcc.container.shard_files import ShardTarget, check_model_output
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.conversion.without_feedback import refuse_unknown_roles
from fourcc.errors import PolicyError, UsageError
from fourcc.execution import Execution
from fourcc.exporters.export import check_targets, execute_export, exported_bytes, fitted_plan, laid_out, plan_export
from fourcc.exporters.forced_pre import with_pre
from fourcc.files.part_file import check_output
from fourcc.models.text_files import read_text
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.quantizing.container import Container, container_of
from fourcc.quantizing.request import Quantization
from fourcc.quantizing.result import Quantized, quantized, quantized_of
from fourcc.sources import open_source
from fourcc.sources.model_bin import open_model_bin

if TYPE_CHECKING:
    from fourcc.calibration.budget import Budget
    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.session import OnNote
    from fourcc.conversion.pipeline import Step
    from fourcc.conversion.plan import Plan
    from fourcc.exporters.export import ExportPlan
    from fourcc.exporters.layout import ExportKind
    from fourcc.models.intervals import Interval
    from fourcc.models.model import Model
    from fourcc.sources.source import Source

_LARGE = (1 << 12, 1 << 12)  # rows and columns of a matrix that every format fits


@attrs.frozen(eq=False)
class QuantizationMeans:
    """The things that a quantization is done with.

    Attributes:
        tokenizer: in place of the source's own; None: that.
        pre: the way in which byte pairs are cut; None: it is found.
        threads: number of threads.
        stage: as `quantize` takes it.
        note: likewise.
        resume: go on with the writing that was interrupted.
    """

    tokenizer: Path | None
    pre: str | None
    threads: int | None
    stage: OnStage
    note: OnNote
    resume: bool = False


@attrs.frozen(eq=False)
class QuantizationWork:
    """The work on an opened source.

    Attributes:
        source: the source.
        path: of it.
        container: what is written.
        asked: how.
        means: with what.
        stack: closes temporary files.
    """

    source: Source
    path: Path
    container: Container
    asked: Quantization
    means: QuantizationMeans
    stack: ExitStack

    def shown(self) -> tuple[Plan | ExportPlan, tuple[str, ...]]:
        """The plan of what the rules would write, and notes; nothing is written."""
        planned = self.planned(self.asked.calibration)
        if self.container.kind is None:
            return planned, planned.notes
        exported = laid_out(planned, self.container.kind)
        return exported, tuple(dict.fromkeys([*planned.notes, *exported.layout.notes]))

    def done(self, *, force: bool) -> Quantized:
        """Carries it out."""
        if self.means.resume and self.asked.text is not None:
            what = "a quantization that measures is not resumed: its calibration and its trials lie in temporary files"
            hint = "`fourcc calibrate`, `measure` and `convert` do its steps one by one, each with --resume."
            raise UsageError(what, file=self.container.output, hint=hint)
        if self.asked.budget is not None:
            return self._to_budget(force=force)
        planned = self.planned(None if self.asked.text is not None else self.asked.calibration)
        if self.asked.text is not None:
            return self._measured(planned, force=force)
        if self.container.kind is None:
            result = execute(planned, self._target(force=force), self._how(force=force))
            return quantized(self.container, planned.steps, result.path, result.notes, result.files)
        exported = laid_out(planned, self.container.kind)
        return self._exported(exported, planned.notes, force=force)

    def planned(self, calibration: Calibration | None) -> Plan:
        """The plan of a conversion by the rules, whose every tensor the container holds. Raises as `plan_export`."""
        rules, kind, feedback = self.asked.rules, self.container.kind, self.asked.feedback
        assert rules is not None
        if calibration is None and self.asked.text is not None:
            feedback = None  # shapes alone are looked at: its Hessians come later
        later = self.asked.feedback is not None and feedback is None
        given: dict[str, Any] = {
            "calibration": calibration,
            "feedback": feedback,
            "no_feedback_for": () if later else self.asked.no_feedback_for,
        }
        if kind is None:
            planned = plan(self.source, rules, **given)
            planned.refuse_unmet()
            refuse_unknown_roles(planned.steps, self.asked.no_feedback_for)
            return planned
        _refuse_decoding(self.source, kind, rules)
        planned = fitted_plan(self.source, kind, rules, instead=self.asked.instead, **given)
        refuse_unknown_roles(planned.steps, self.asked.no_feedback_for)
        unmet = planned.unmet_by(lambda: laid_out(planned, kind).file_bytes)
        if unmet:
            raise PolicyError(unmet, file=rules.file)
        return planned

    def _trials(self) -> ConversionTrials:
        reading = {"documents": self.asked.documents, "tokenizer": self.means.tokenizer, "threads": self.means.threads}
        return ConversionTrials(
            self.path, self.source, self.asked.feedback, reading, self.means.stage, self.means.note, self.stack
        )

    def _texts(self) -> tuple[str, str]:
        """The text to calibrate on, and the one to measure on."""
        assert self.asked.text is not None
        return two_texts(read_text(self.asked.text), self.asked.text)

    def _measured(self, first: Plan, *, force: bool) -> Quantized:
        """By rules, calibrated on a text and measured on its end; `first` is without calibration."""
        calibrating, measuring = self._texts()
        self._check_output(first, force=force)
        trials = self._trials()
        planned = self.planned(trials.calibrate(calibrating))
        trials.keep_for_measuring(measuring)
        divergence, model = trials.measured("the result", planned)
        notes = tuple(dict.fromkeys(trials.notes))
        return self._delivered(model, divergence, notes, force=force)

    def _to_budget(self, *, force: bool) -> Quantized:
        """The best mix for a budget."""
        budget, options = self._budget(), self._options()
        texts = self._texts()
        self._check_path(force=force)
        rehearse(self.source, options, budget, self.asked.pins, self.asked.feedback)
        trials = self._trials()
        best = best_within(trials, texts, budget, self.asked.pins, options)
        notes = tuple(dict.fromkeys(trials.notes))
        made = self._delivered(best.model, best.candidates[0].divergence, notes, force=force)
        return attrs.evolve(made, candidates=best.candidates)

    def _budget(self) -> Budget:
        """The budget, of the file that is written."""
        budget, kind = self.asked.budget, self.container.kind
        assert budget is not None
        if kind is None:
            return budget
        if kind.folder or kind.decodes:
            what = f"--size and --budget mix formats that {kind.name} has no place for"
            hint = "Write a .gguf or a .bin; --format and --policy give a folder its formats."
            raise UsageError(what, file=self.container.output, hint=hint)
        return attrs.evolve(budget, length=lambda planned: exported_bytes(planned, kind))

    def _options(self) -> str | tuple[str, ...] | None:
        """The formats to mix, which the container must hold."""
        kind, options = self.container.kind, self.asked.options
        if kind is None or options is not None:
            return options
        held = [each for each in default_options() if kind.holds(each.format, each.params, _LARGE)]
        return tuple(map(spelled_option, held))

    def _delivered(self, model: Model, divergence: Interval, notes: tuple[str, ...], *, force: bool) -> Quantized:
        """Writes a temporary model to the output."""
        if self.container.kind is None:
            path, files = write_model(model, self._target(force=force))
            steps = [(str(record.tag), prod(record.shape), record.nbytes) for record in model.index.tensors]
            return quantized_of(self.container, steps, path, notes, divergence, files)
        kind = self._kind_with(divergence)
        opened = open_model_bin(self.source.files[0], fd=model.another_fd())
        source = self.stack.enter_context(opened)
        exported = plan_export(attrs.evolve(source, files=()), kind)  # it is in no file that a later run could read
        return attrs.evolve(self._exported(exported, notes, force=force), divergence=divergence)

    def _kind_with(self, divergence: Interval) -> ExportKind:
        """The kind of export; a folder's card tells what was measured."""
        kind = self.container.kind
        assert kind is not None
        if not kind.folder or self.asked.text is None:
            return kind
        bounds = "" if divergence.low is None else f" ({divergence.low:.3g} to {divergence.high:.3g} at 95 %)"
        line = f"KL divergence from the original: {divergence.mean:.4g} nats a token{bounds}, on text that was not"
        told = f"{line} calibrated on, with exact activations."
        return container_of(self.container.output, kind.name, self.container.shard, self.asked.rules, told).kind or kind

    def _exported(self, planned: ExportPlan, notes: tuple[str, ...], *, force: bool) -> Quantized:
        result = execute_export(planned, self._targets(planned, force=force), self._how(force=force))
        said = dict.fromkeys([*notes, *planned.layout.notes, *result.notes])
        made = quantized(self.container, planned.steps, result.path, tuple(said))
        return attrs.evolve(made, beside=(*result.shards[1:], *result.beside), file_bytes=planned.file_bytes)

    def _check_output(self, planned: Plan, *, force: bool) -> None:
        """Refuses an output before long work begins."""
        if self.container.kind is None:
            self._target(force=force)
        else:
            self._targets(laid_out(planned, self.container.kind), force=force)

    def _read(self) -> Iterator[Path]:
        """The files that are read, of which none may be the output."""
        yield from self.source.all_files
        known = self.asked.calibration
        yield from (path for path in (self.asked.text, None if known is None else known.path) if path is not None)

    def _check_path(self, *, force: bool) -> None:
        """Refuses an output before it is known what will be written."""
        if self.container.kind is None:
            self._target(force=force)
        else:
            check_output(self.container.output, self._read(), force=force, resume=self.means.resume)

    def _target(self, *, force: bool) -> Path | ShardTarget:
        output, shard, resume = self.container.output, self.container.shard, self.means.resume
        return check_model_output(output, self._read(), shard_size=shard, force=force, resume=resume)

    def _targets(self, planned: ExportPlan, *, force: bool) -> dict[Path, bytes]:
        return check_targets(planned, self.container.output, self._read(), force=force, resume=self.means.resume)

    def _how(self, *, force: bool) -> Execution:
        return Execution(
            threads=self.means.threads,
            memory=self.asked.memory,
            resume=self.means.resume,
            anew=force,
            progress=self.means.stage("writing", "weights"),
        )


def opened_work(
    path: Path, container: Container, asked: Quantization, stack: ExitStack, means: QuantizationMeans
) -> QuantizationWork:
    """The work on a source, which it opens; the stack closes it. Takes and raises what `quantize` does."""
    if container.kind is None and asked.instead:
        raise UsageError("--as does nothing here", file=container.output, hint="A model.bin holds every format.")
    source = with_pre(stack.enter_context(open_source(path, means.tokenizer)), means.pre)
    return QuantizationWork(source, path, container, asked, means, stack)


def _refuse_decoding(source: Source, kind: ExportKind, rules: Policy) -> None:
    """Refuses a container of plain numbers for formats of blocks: they would be decoded again."""
    if not kind.decodes:
        return
    planned = plan(source, rules)
    lost = [step for step in planned.steps if not step.decision.keep and _in_blocks(kind, step)]
    if lost:
        tags = ", ".join(sorted({str(step.decision.tag) for step in lost}))
        what = f"{kind.name} holds plain numbers: {tags} would be decoded again"
        hint = "A .gguf, a .bin or a folder of the kind compressed-tensors keep codes; `fourcc export` decodes."
        raise UsageError(what, file=source.path, tensor=lost[0].source.name, hint=hint)


def _in_blocks(kind: ExportKind, step: Step) -> bool:
    return not kind.holds(registry[step.decision.tag], step.decision.params, step.source.shape)
