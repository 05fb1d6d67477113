"""`fourcc convert`: from a checkpoint to a model.bin."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs

from fourcc.cli.render import json_documents, plan_table, tables, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import budget_options, options
from fourcc.cli.shared.budget_options import ConversionOptions
from fourcc.cli.shared.execution_options import AskedExecution, Cluster, Memory, Resume
from fourcc.cli.shared.feedback_options import feedback_of
from fourcc.cli.shared.policy_options import rules_of
from fourcc.cli.shared.transfer_options import Stream, opened_to_write
from fourcc.errors import UsageError

if TYPE_CHECKING:
    import typer

    from fourcc.calibration.calibration import Calibration
    from fourcc.container.shard_files import ShardTarget
    from fourcc.conversion.plan import Plan
    from fourcc.conversion.result import Result
    from fourcc.feedback.feedback import Feedback
    from fourcc.sources.source import Source

EPILOG = """\b
Examples:
  fourcc convert stories.bin -o model.bin --format F16
  fourcc convert ./checkpoint -o model.bin --policy mixed.toml --dry-run
  fourcc convert ./checkpoint -o model.bin --recipe Q4_K_M
  fourcc convert ./checkpoint -o model.bin --recipe Q4_K_M --calibration model.calib
  fourcc convert ./checkpoint -o model.bin --budget 4.0bpw --calibration-text stories.txt --documents
  fourcc convert model.bin -o smaller.bin --format Q4_0,F16 --exclude 'output'
  fourcc convert hf://org/name -o model.bin --recipe Q4_K_M --stream

Without --policy, --recipe, --format or --budget, every tensor is kept as it is stored. --budget calibrates on most of
the text, measures what each format costs each matrix on the rest, and takes the mix of least KL divergence, with error
feedback (--feedback none: without)."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(convert)


def convert(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    output: options.ModelOutput = None,
    policy: options.PolicyFile = None,
    recipe: options.Recipe = None,
    formats: options.Formats = None,
    budget: budget_options.Size = None,
    text: budget_options.Text = None,
    tags: budget_options.Options = None,
    pins: budget_options.Pins = None,
    documents: budget_options.Documents = False,
    calibration: options.CalibrationFile = None,
    activations: options.StaticActivations = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    tokenizer: options.Tokenizer = None,
    pre: options.Pre = None,
    feedback: options.Feedback = None,
    damping: options.Damping = None,
    no_feedback_for: options.NoFeedbackFor = None,
    shard: options.ShardSize = None,
    dry_run: options.DryRun = False,
    stream: Stream = False,
    memory: Memory = None,
    resume: Resume = False,
    cluster: Cluster = None,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Convert a checkpoint to a model.bin.

    Each tensor is stored in the format that a policy gives it.
    """
    asked = budget_options.AskedBudget(budget, text, tags, pins, documents)
    rules = _AskedRules(policy, recipe, formats, calibration, activations, include, exclude, no_feedback_for, pre)
    how = AskedExecution(threads=threads, memory=memory, resume=resume, force=force, cluster=cluster, stream=stream)
    asked.check(rules.given | how.beyond_one_run | {"--dry-run": dry_run})
    work = ConversionOptions(source, output, tokenizer, feedback, damping, shard, dry_run, how, quiet, as_json)
    return _by_rules(rules, work) if budget is None else _to_budget(asked, work)


@attrs.frozen
class _AskedRules:
    """The options that say what each tensor becomes, as they were given."""

    policy: Path | None
    recipe: str | None
    formats: str | None
    calibration: Path | None
    activations: Literal["static"] | None
    include: list[str] | None
    exclude: list[str] | None
    no_feedback_for: list[str] | None
    pre: str | None

    @property
    def given(self) -> dict[str, object]:
        """The options by their names."""
        named = {f"--{name.replace('_', '-')}": value for name, value in attrs.asdict(self).items()}
        return {"--format": named.pop("--formats"), **named}

    def planned(self, opened: Source, settings: Feedback | None) -> Plan:
        """The plan of a conversion by these rules."""
        from fourcc.conversion.plan import plan
        from fourcc.exporters.forced_pre import with_pre

        rules = rules_of(self.policy, self.formats, self.recipe)
        planned = plan(
            with_pre(opened, self.pre),
            rules,
            include=self.include or (),
            exclude=self.exclude or (),
            calibration=_opened(self.calibration),
            feedback=settings,
            no_feedback_for=self.no_feedback_for or (),
            activations=self.activations,
        )
        planned.refuse_unmet()
        return planned


def _to_budget(asked: budget_options.AskedBudget, work: ConversionOptions) -> None:
    """Converts to a budget, and shows what it came to."""
    from fourcc.cli.render import budget_tables

    made = asked.converted(work)
    terminal.notes(made.result.notes, quiet=work.quiet)
    if work.as_json:
        budget_tables.show_document(made.result.path, made)
    elif not work.quiet:
        budget_tables.show(made.result.path, made)


def _by_rules(rules: _AskedRules, work: ConversionOptions) -> None:
    """Converts by a policy, or shows what it would do."""
    from fourcc.container.shard_files import check_model_output, shard_bytes
    from fourcc.files.write import check_name, in_folder

    if work.shard is not None:
        shard_bytes(work.shard)  # before a dry run, which writes none
    settings, output = feedback_of(work.feedback, work.damping), work.output and in_folder(work.output)
    check_name(output)
    way = {"stream": work.how.stream, "dry_run": work.dry_run}
    with opened_to_write(work.source, work.tokenizer, output, **way) as opened:
        planned = rules.planned(opened, settings)
        terminal.notes(planned.notes, quiet=work.quiet)
        if work.dry_run:
            return plan_table.show(planned, work.how.forecast(planned, output), as_json=work.as_json)
        if output is None:
            raise UsageError("convert needs an output", hint="Add -o FILE, or --dry-run.")
        read = (*opened.all_files, *(each for each in (rules.policy, rules.calibration) if each))
        how = work.how
        target = check_model_output(output, read, shard_size=work.shard, force=how.force, resume=how.resume)
        result, progress = _carried_out(planned, target, work.how, quiet=work.quiet)
    if work.as_json:
        return json_documents.show("convert", _document(output, result, len(planned.ranges)))
    return None if work.quiet else _show(output, result, len(planned.ranges), progress)


def _carried_out(
    planned: Plan, target: Path | ShardTarget, how: AskedExecution, *, quiet: bool
) -> tuple[Result, Progress]:
    """Carries out the plan, with progress and notes on the result."""
    from fourcc.conversion.carrying_out import execute

    with Progress("converting", _source_bytes(planned), quiet=quiet) as progress, how.connected(progress) as work:
        result = execute(planned, target, work)
    terminal.notes(result.notes[len(planned.notes) :], quiet=quiet)
    return result, progress


def _opened(path: Path | None) -> Calibration | None:
    """The calibration in a file, if one is given."""
    if path is None:
        return None
    from fourcc.calibration.reading import open_calibration

    return open_calibration(path)


def _source_bytes(planned: Plan) -> int:
    """Bytes of the source's files; if tensors are left out, the share of the tensors that are taken."""
    files = sum(path.stat().st_size for path in planned.source.files)
    everything = sum(prod(tensor.shape) for tensor in planned.source.tensors)
    return files * planned.weights // max(1, everything)


def _show(output: Path, result: Result, ranges: int, progress: Progress) -> None:
    """A summary for people; `ranges` is the number of matrices whose activation ranges are stored."""
    index = result.index
    counts = Counter(str(tensor.tag) for tensor in index.tensors)
    weighed = sum(tensor.aids is not None for tensor in index.tensors)
    fed = sum(tensor.feedback is not None for tensor in index.tensors)
    tables.facts(
        [
            ("output", str(_written(output, result))),
            *([("shards", str(len(result.files)))] if len(result.files) > 1 else []),
            ("id", result.digest.hex()),
            ("tensors", units.counted(counts)),
            ("weights", str(index.weights)),
            ("bits per weight", units.bits(index.bits_per_weight)),
            ("bytes", units.plain_bytes(_bytes(result))),
            *([("calibration", f"used in {weighed} tensors")] if weighed else []),
            *([("error feedback", f"in {fed} tensors")] if fed else []),
            *([("activation ranges", f"of {ranges} matrices")] if ranges else []),
        ]
    )
    terminal.err(f"fourcc: {progress.seconds:.1f} s, {progress.rate} of source")


def _written(output: Path, result: Result) -> Path:
    """The file that was written, as the user would name it: the output, or the list of its shards."""
    return output.with_name(result.path.name) if len(result.files) > 1 else output


def _bytes(result: Result) -> int:
    """Length of all files that hold the model."""
    return sum(path.stat().st_size for path in result.files)


def _document(output: Path, result: Result, ranges: int) -> dict[str, object]:
    index = result.index
    return {
        "output": str(_written(output, result)),
        "shards": [path.name for path in result.files] if len(result.files) > 1 else None,
        "id": result.digest.hex(),
        "tensors": len(index.tensors),
        "weights": index.weights,
        "bits_per_weight": json_documents.bits(index.bits_per_weight),
        "bytes": index.nbytes,
        "file_bytes": _bytes(result),
        "formats": dict(Counter(str(tensor.tag) for tensor in index.tensors)),
        "matrices_with_ranges": ranges,
        "notes": list(result.notes),
    }
