"""`fourcc calibrate`: statistics of what a model's matrices are multiplied with."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion, options
from fourcc.cli.shared.execution_options import AskedExecution, Cluster, Memory, Resume
from fourcc.cli.shared.open_model import model_to_run

if TYPE_CHECKING:
    from fourcc.calibration.calibrating import Calibrated
    from fourcc.calibration.collecting import Collected

EPILOG = """\b
Examples:
  fourcc calibrate model.bin --text calib.txt -o model.calib
  fourcc calibrate model.bin --text calib.txt -o model.calib --hessian --documents
  fourcc calibrate model.bin --text more.txt -o both.calib --merge model.calib
  fourcc convert model.bin -o small.bin --format Q3_K --calibration model.calib

The file is an imatrix that llama.cpp reads, too. Killed, `--resume` goes on where the last batch of
windows ended."""

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Calibration file to write.")]
Text = Annotated[Path, typer.Option("--text", metavar="FILE", help="The text that the model reads, UTF-8.")]
Hessian = Annotated[bool, typer.Option("--hessian", help="Also keep E[x x^T] of each matrix's inputs.")]
NoHessianFor = Annotated[
    list[str] | None,
    typer.Option(
        "--no-feedback-for",
        metavar="ROLE",
        help="With --hessian: none for these roles, such as 'ffn.*'; may be repeated.",
        autocompletion=completion.role,
    ),
]
Limit = Annotated[
    int,
    typer.Option(
        "--tokens", metavar="N", help="Tokens of the text to read at most.  [default: all]", show_default=False
    ),
]
Merge = Annotated[Path | None, typer.Option("--merge", metavar="FILE", help="Add this calibration of the same model.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(calibrate)


def calibrate(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    text: Text,
    output: Output,
    hessian: Hessian = False,
    no_feedback_for: NoHessianFor = None,
    parted: options.Documents = False,
    limit: Limit = 0,
    context: options.WindowContext = 0,
    merge: Merge = None,
    memory: Memory = None,
    resume: Resume = False,
    cluster: Cluster = None,
    tokenizer: options.ModelTokenizer = None,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Collect statistics of what each matrix is multiplied with.

    The model reads a text, layer by layer; convert then weighs errors by it.
    """
    from fourcc.calibration.calibrating import Request, carry_out

    asked = Request(source, text, hessian, parted, limit, context, merge, tokenizer, tuple(no_feedback_for or ()))
    how = AskedExecution(threads=threads, memory=memory, resume=resume, force=force, cluster=cluster)
    target = asked.target(output, force=force, resume=resume)
    with ExitStack() as stack:
        model = model_to_run(source, tokenizer, None, stack, quiet=quiet, as_json=as_json)
        with (
            Progress("calibrating", 0, quiet=quiet, unit="tokens x layers") as progress,
            how.connected(progress) as work,
        ):
            result = carry_out(asked, model, target, work)
    if resume:
        terminal.notes([_resumed(result.before)], quiet=quiet)
    if as_json:
        return json_documents.show("calibrate", _document(output, result))
    return None if quiet else _show(output, result, progress)


def _resumed(before: Collected) -> str:
    """A note on what was done before."""
    if not before.layers and not before.batches:
        return "there was nothing to resume, so all layers were run"
    layers = [_counted(before.layers, "layer", "layers")] if before.layers else []
    batches = [_counted(before.batches, "batch", "batches") + " of the next layer"] if before.batches else []
    return f"done before the interruption: {' and '.join([*layers, *batches])}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _show(output: Path, result: Calibrated, progress: Progress) -> None:
    """A summary for people."""
    calibration = result.calibration
    tables.facts(
        [
            ("output", str(output)),
            ("id", calibration.digest),
            ("model", str(calibration.model)),
            ("text", str(result.text)),
            ("tokens", str(calibration.tokens)),
            ("matrices", str(len(calibration.statistics))),
            ("Hessians", str(len(calibration.hessians))),
            ("bytes", units.plain_bytes(output.stat().st_size)),
        ]
    )
    terminal.err(f"fourcc: {progress.seconds:.1f} s")


def _document(output: Path, result: Calibrated) -> dict[str, object]:
    calibration = result.calibration
    return {
        "output": str(output),
        "id": calibration.digest,
        "model": calibration.model,
        "text": str(result.text),
        "tokens": calibration.tokens,
        "matrices": len(calibration.statistics),
        "hessians": len(calibration.hessians),
        "resumed_after": result.before.layers,
        "resumed_batches": result.before.batches,
        "file_bytes": output.stat().st_size,
    }
