"""`fourcc convert`: from a checkpoint to a model.bin."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, plan_table, tables, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import budget_options, options
from fourcc.cli.shared.feedback_options import feedback_of
from fourcc.cli.shared.policy_options import rules_of
from fourcc.errors import UsageError

if TYPE_CHECKING:
    import typer

    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.to_budget import ToBudget
    from fourcc.conversion.convert import Result
    from fourcc.conversion.plan import Plan

EPILOG = """\b
Examples:
  fourcc convert stories.bin -o model.bin --format F16
  fourcc convert ./checkpoint -o model.bin --policy mixed.toml --dry-run
  fourcc convert ./checkpoint -o model.bin --recipe Q4_K_M
  fourcc convert ./checkpoint -o model.bin --recipe Q4_K_M --calibration model.calib
  fourcc convert ./checkpoint -o model.bin --budget 4.0bpw --calibration-text stories.txt --documents
  fourcc convert model.bin -o smaller.bin --format Q4_0,F16 --exclude 'output'

Without --policy, --recipe, --format or --budget, every tensor is kept as it is stored. --budget calibrates on most of
the text, measures what each format costs each matrix on the rest, and takes the mix of least KL divergence, with error
feedback (--feedback none: without)."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(convert)


def convert(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    output: options.Output = None,
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
    feedback: options.Feedback = None,
    damping: options.Damping = None,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Convert a checkpoint to a model.bin.

    Each tensor is stored in the format that a policy gives it.
    """
    asked = budget_options.AskedBudget(budget, text, tags, pins, documents)
    rules_given: dict[str, object] = {"--policy": policy, "--recipe": recipe, "--format": formats, "--dry-run": dry_run}
    taken: dict[str, object] = {"--include": include, "--exclude": exclude}
    asked.check(rules_given | taken | {"--calibration": calibration, "--activations": activations})
    if budget is not None:
        made = asked.converted(
            source,
            output,
            feedback=feedback,
            damping=damping,
            tokenizer=tokenizer,
            force=force,
            threads=threads,
            quiet=quiet,
        )
        return _show_budget(made, quiet=quiet, as_json=as_json)
    from fourcc.conversion.plan import plan
    from fourcc.files.write import check_name, check_target
    from fourcc.sources import open_source

    rules, settings, known = rules_of(policy, formats, recipe), feedback_of(feedback, damping), _opened(calibration)
    check_name(output)
    with open_source(source, tokenizer) as opened:
        planned = plan(
            opened,
            rules,
            include=include or (),
            exclude=exclude or (),
            calibration=known,
            feedback=settings,
            activations=activations,
        )
        planned.refuse_unmet()
        terminal.notes(planned.notes, quiet=quiet)
        if dry_run:
            return plan_table.show(planned, as_json=as_json)
        if output is None:
            raise UsageError("convert needs an output", hint="Add -o FILE, or --dry-run.")
        read = (*opened.all_files, *(each for each in (policy, calibration) if each))
        result, progress = _carried_out(planned, check_target(output, read, force=force), threads, quiet=quiet)
    if as_json:
        return json_documents.show("convert", _document(output, result, len(planned.ranges)))
    return None if quiet else _show(output, result, len(planned.ranges), progress)


def _show_budget(made: ToBudget, *, quiet: bool, as_json: bool) -> None:
    from fourcc.cli.render import budget_tables

    terminal.notes(made.result.notes, quiet=quiet)
    if as_json:
        budget_tables.show_document(made.result.path, made)
    elif not quiet:
        budget_tables.show(made.result.path, made)


def _carried_out(planned: Plan, target: Path, threads: int | None, *, quiet: bool) -> tuple[Result, Progress]:
    """Carries out the plan, with progress and notes on the result."""
    from fourcc.conversion.convert import execute

    with Progress("converting", _source_bytes(planned), quiet=quiet) as progress:
        result = execute(planned, target, threads=threads, progress=progress)
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
    tables.facts(
        [
            ("output", str(output)),
            ("id", result.digest.hex()),
            ("tensors", units.counted(counts)),
            ("weights", str(index.weights)),
            ("bits per weight", units.bits(index.bits_per_weight)),
            ("bytes", units.plain_bytes(result.path.stat().st_size)),
            *([("activation ranges", f"of {ranges} matrices")] if ranges else []),
        ]
    )
    terminal.err(f"fourcc: {progress.seconds:.1f} s, {progress.rate} of source")


def _document(output: Path, result: Result, ranges: int) -> dict[str, object]:
    index = result.index
    return {
        "output": str(output),
        "id": result.digest.hex(),
        "tensors": len(index.tensors),
        "weights": index.weights,
        "bits_per_weight": json_documents.bits(index.bits_per_weight),
        "bytes": index.nbytes,
        "file_bytes": result.path.stat().st_size,
        "formats": dict(Counter(str(tensor.tag) for tensor in index.tensors)),
        "matrices_with_ranges": ranges,
        "notes": list(result.notes),
    }
