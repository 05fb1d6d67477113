"""`fourcc export`: from a checkpoint to a file of another project."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, plan_table, tables, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion, options
from fourcc.cli.shared.execution_options import AskedExecution, Memory, Resume
from fourcc.cli.shared.policy_options import rules_of
from fourcc.cli.shared.transfer_options import Stream, opened_to_write
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.exporters.export import ExportPlan
    from fourcc.exporters.export_result import ExportResult
    from fourcc.exporters.layout import ExportKind
    from fourcc.policy import Policy

EPILOG = """\b
Examples:
  fourcc export model.bin -o model.gguf
  fourcc export model.bin -o model.gguf --as Q8_0,F16
  fourcc export ./checkpoint -o model.gguf --recipe Q4_K_M
  fourcc export model.bin -o hf/ --as BF16 --shard-size 2GB
  fourcc export model.bin -o model.gguf --as Q8_0,F16 --shard-size 2GB
  fourcc export model.bin -o awq/ --to awq
  fourcc export model.bin -o stories.bin --to llama2c-v0

What the file can hold is written as it is stored, byte for byte; --as says
what becomes of the rest. A folder, or a name without a suffix, becomes one that
transformers loads: numbers, or with --to codes and scales in the layout of
compressed-tensors, AWQ or GPTQ. safetensors gets a config.json beside it."""

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="KIND",
        help="gguf, safetensors, huggingface, compressed-tensors, awq, gptq, llama2c-v0, -v1, -v2, or a plugin's.  "
        "[default: by the output's name]",
        autocompletion=completion.exported,
    ),
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="TAG[,TAG]",
        help="Format for tensors that the file cannot hold.",
        autocompletion=completion.tags,
    ),
]
Group = Annotated[
    int | None, typer.Option("--group-size", metavar="N", min=1, help="Weights with one scale, for llama2c-v2.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(export)


def export(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    output: options.Output = None,
    to: To = None,
    instead: As = None,
    group: Group = None,
    shard: options.ShardSize = None,
    policy: options.PolicyFile = None,
    recipe: options.Recipe = None,
    formats: options.Formats = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    tokenizer: options.Tokenizer = None,
    pre: options.Pre = None,
    dry_run: options.DryRun = False,
    stream: Stream = False,
    memory: Memory = None,
    resume: Resume = False,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Export a model to GGUF, safetensors or llama2.c."""
    from fourcc.exporters.export import plan_export
    from fourcc.exporters.forced_pre import with_pre

    rules, kind = _asked(output, to, shard, policy, formats, recipe)
    with opened_to_write(source, tokenizer, output, stream=stream, dry_run=dry_run) as came:
        opened = with_pre(came, pre)
        terminal.notes(opened.notes, quiet=quiet)
        planned = plan_export(opened, kind, rules, include or (), exclude or (), instead=instead or "", group=group)
        terminal.notes(planned.layout.notes, quiet=quiet)
        how = AskedExecution(threads=threads, memory=memory, resume=resume, force=force)
        if dry_run:
            return plan_table.show(planned, how.forecast(planned, output), as_json=as_json)
        if output is None:
            raise UsageError("export needs an output", hint="Add -o FILE, or --dry-run.")
        result, progress = _carried_out(planned, output, [policy] if policy else [], how, quiet=quiet)
    return (_show_document if as_json else _show)(output, planned, result, progress, quiet=quiet)


def _carried_out(
    planned: ExportPlan, output: Path, read: list[Path], how: AskedExecution, *, quiet: bool
) -> tuple[ExportResult, Progress]:
    """Carries out the plan, with progress; `read` are files that the output may not be."""
    from fourcc.exporters.export import check_targets, execute_export

    targets = check_targets(planned, output, read, force=how.force, resume=how.resume)
    with Progress("exporting", planned.nbytes, quiet=quiet) as progress:
        return execute_export(planned, targets, how.execution(progress)), progress


def _asked(
    output: Path | None, to: str | None, shard: str | None, policy: Path | None, formats: str | None, recipe: str | None
) -> tuple[Policy, ExportKind]:
    """The rules and the kind of export that the options ask for; a folder's card has the rules."""
    from fourcc.exporters import kind_of
    from fourcc.exporters.folder_options import folder_options

    rules = rules_of(policy, formats, recipe)
    told = rules if policy or formats or recipe else None
    return rules, kind_of(output, to, folder_options(shard, output, told))


def _counts(planned: ExportPlan) -> Counter[str]:
    return Counter(str(step.decision.tag) for step in planned.steps)


def _show_document(
    output: Path,
    planned: ExportPlan,
    result: ExportResult,
    progress: Progress,  # noqa: ARG001 - as `_show`
    *,
    quiet: bool,
) -> None:
    """The JSON, and notes."""
    json_documents.show("export", _document(output, planned, result))
    terminal.notes(result.notes, quiet=quiet)


def _show(output: Path, planned: ExportPlan, result: ExportResult, progress: Progress, *, quiet: bool) -> None:
    """A summary for people, and notes."""
    if quiet:
        return
    worst = min((e.sqnr_db for e in result.errors.values() if e.sqnr_db is not None), default=None)
    error = "" if worst is None else f", SQNR {worst:.1f} dB and better"
    tables.facts(
        [
            ("output", f"{_written(output, result)}: {planned.kind.name}"),
            *([("shards", str(len(result.shards)))] if result.shards else []),
            *(("beside", str(path)) for path in result.beside),
            ("tensors", units.counted(_counts(planned))),
            ("converted", f"{len(planned.converted)}{error}"),
            ("bytes", units.plain_bytes(planned.file_bytes)),
        ]
    )
    terminal.err(f"fourcc: {progress.seconds:.1f} s, {progress.rate}")
    terminal.notes(result.notes, quiet=quiet)


def _written(output: Path, result: ExportResult) -> Path:
    """The output, or the first of its shards, as the user would name it."""
    return output.with_name(result.path.name) if result.shards else output


def _document(output: Path, planned: ExportPlan, result: ExportResult) -> dict[str, object]:
    return {
        "output": str(_written(output, result)),
        "shards": [path.name for path in result.shards] or None,
        "kind": planned.kind.name,
        "beside": [str(path) for path in result.beside],
        "tensors": len(planned.steps),
        "weights": planned.weights,
        "formats": dict(_counts(planned)),
        "converted": list(planned.converted),
        "file_bytes": planned.file_bytes,
        "notes": [*planned.source.notes, *planned.layout.notes, *result.notes],
    }
