"""`fourcc measure`: the costs of each format for each matrix, on a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fourcc.cli.render import terminal
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion, options
from fourcc.cli.shared.execution_options import AskedExecution, Cluster, Memory, Resume
from fourcc.cli.shared.feedback_options import feedback_of
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.calibration.costs import Costs

EPILOG = """\b
Examples:
  fourcc measure stories.bin --text other.txt -o model.costs
  fourcc measure stories.bin --calibration model.calib --text other.txt -o model.costs --options Q3_K,Q4_K,Q6_K
  fourcc measure stories.bin --text other.txt -o model.costs --group q+k+v,gate+up --options NF4,Q4_Z:group=64

The text should be another one than the calibration's. `fourcc allocate` makes a policy of the costs, and `fourcc
inspect` shows them. Killed, `--resume` goes on with the options that are not yet done."""

Text = Annotated[Path, typer.Option("--text", metavar="FILE", help="The measuring text, UTF-8.")]
Options = Annotated[
    str | None,
    typer.Option(
        "--options",
        metavar="TAG[,TAG]",
        help="Formats to try, each with settings: TAG:NAME=VALUE.  [default: ggml's quantized ones]",
        autocompletion=completion.tags,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="ROLES",
        help="Matrices of a layer that share a format, such as q+k+v,gate+up.",
        autocompletion=completion.roles_together,
    ),
]
Limit = Annotated[int, typer.Option("--tokens", metavar="N", help="Tokens to measure at most.")]
Direct = Annotated[bool, typer.Option("--direct", help="Measure every option, instead of predicting it from one.")]
Seconds = Annotated[bool, typer.Option("--seconds", help="Also time each option's products on this machine.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(measure)


def measure(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    text: Text,
    output: options.Output = None,
    calibration: options.CalibrationFile = None,
    feedback: options.Feedback = None,
    damping: options.Damping = None,
    tags: Options = None,
    group: Group = None,
    tokens: Limit = 2000,
    context: options.WindowContext = 0,
    parted: options.Documents = False,
    direct: Direct = False,
    seconds: Seconds = False,
    tokenizer: options.ModelTokenizer = None,
    memory: Memory = None,
    resume: Resume = False,
    cluster: Cluster = None,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure what each format costs each matrix.

    Costs are bytes, and KL divergence on a text. One format of each matrix is measured by running the model with it;
    the others are predicted from their error.
    """
    from fourcc.cli.render import costs_tables

    if output is None:
        raise UsageError("measure needs an output", hint="Add -o FILE.")
    encoding = {"calibration": calibration, "feedback": feedback_of(feedback, damping)}
    asked = {"options": tags, "group": group, "direct": direct, "seconds": seconds}
    cutting = {"tokens": tokens, "context": context, "documents": parted, "tokenizer": tokenizer}
    how = AskedExecution(threads=threads, memory=memory, resume=resume, force=force, cluster=cluster)
    costs = _measured(source, text, output, {**encoding, **asked, **cutting}, how, quiet=quiet)
    if as_json:
        costs_tables.show_document("measure", output, costs)
    elif not quiet:
        costs_tables.show(output, costs, rows=costs_tables.WORST)


def _measured(
    source: Path, text: Path, output: Path, settings: dict[str, Any], how: AskedExecution, *, quiet: bool
) -> Costs:
    """The costs, with progress and notes on stderr; the settings are further arguments of `fourcc.measure`."""
    from fourcc.calibration.measure import measure as measured

    with Progress("measuring", 0, quiet=quiet, unit="steps") as progress, how.connected(progress) as work:

        def note(line: str) -> None:
            progress.clear()
            terminal.notes([line], quiet=quiet)

        running: dict[str, Any] = {
            "threads": work.threads,
            "executor": work.executor,
            "force": work.anew,
            "resume": work.resume,
        }
        return measured(source, text, output, progress=progress, note=note, memory=work.memory, **running, **settings)
