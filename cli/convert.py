"""`fourcc convert`: from a checkpoint to a model.bin."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, plan_table, tables, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options
from fourcc.cli.shared.feedback_options import feedback_of
from fourcc.cli.shared.policy_options import rules_of
from fourcc.errors import UsageError

if TYPE_CHECKING:
    import typer

    from fourcc.calibration.calibration import Calibration
    from fourcc.conversion.convert import Result
    from fourcc.conversion.plan import Plan

EPILOG = """\b
Examples:
  fourcc convert stories.bin -o model.bin --format F16
  fourcc convert ./checkpoint -o model.bin --policy mixed.toml --dry-run
  fourcc convert ./checkpoint -o model.bin --recipe Q4_K_M
  fourcc convert ./checkpoint -o model.bin --recipe Q4_K_M --calibration model.calib
  fourcc convert model.bin -o smaller.bin --format Q4_0,F16 --exclude 'output'

Without --policy, --recipe or --format, every tensor is kept as it is stored."""


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
    calibration: options.CalibrationFile = None,
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
    from fourcc.conversion.plan import plan
    from fourcc.files.write import check_name, check_target
    from fourcc.sources import open_source

    rules, settings = rules_of(policy, formats, recipe), feedback_of(feedback, damping)
    check_name(output)
    with open_source(source, tokenizer) as opened:
        known, only, without = _opened(calibration), include or (), exclude or ()
        planned = plan(opened, rules, include=only, exclude=without, calibration=known, feedback=settings)
        terminal.notes(planned.notes, quiet=quiet)
        if dry_run:
            return plan_table.show(planned, as_json=as_json)
        if output is None:
            raise UsageError("convert needs an output", hint="Add -o FILE, or --dry-run.")
        read = (*opened.all_files, *(each for each in (policy, calibration) if each))
        target = check_target(output, read, force=force)
        result, progress = _carried_out(planned, target, threads, quiet=quiet)
    if as_json:
        return json_documents.show("convert", _document(output, result))
    return None if quiet else _show(output, result, progress)


def _carried_out(planned: Plan, target: Path, threads: int | None, *, quiet: bool) -> tuple[Result, Progress]:
    """Carries out a plan, and shows its progress and its notes."""
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


def _show(output: Path, result: Result, progress: Progress) -> None:
    """A summary for people."""
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
        ]
    )
    terminal.err(f"fourcc: {progress.seconds:.1f} s, {progress.rate} of source")


def _document(output: Path, result: Result) -> dict[str, object]:
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
        "notes": list(result.notes),
    }
