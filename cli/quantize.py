"""`fourcc quantize`: from a checkpoint to a quantized file or folder, in one command."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fourcc.cli.render import plan_table, quantize_tables, terminal
from fourcc.cli.shared import budget_options, completion, options
from fourcc.cli.shared.budget_options import BudgetStages
from fourcc.cli.shared.execution_options import AskedExecution, Memory, Resume
from fourcc.cli.shared.feedback_options import feedback_choice
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourcc.feedback.feedback import Feedback
    from fourcc.quantizing.container import Container
    from fourcc.quantizing.request import Quantization
    from fourcc.quantizing.result import Quantized
    from fourcc.quantizing.work import QuantizationWork

EPILOG = """\b
Examples:
  fourcc quantize ./SmolLM2 -o SmolLM2-Q4_K_M.gguf --recipe Q4_K_M
  fourcc quantize ./SmolLM2 -o a.gguf --size 90MB --calibration-text a.txt
  fourcc quantize ./SmolLM2 -o a.bin --budget 5bpw --calibration-text a.txt
  fourcc quantize ./SmolLM2 -o SmolLM2-int8/ --format Q8_0
  fourcc quantize ./SmolLM2 -o SmolLM2-awq/ --format Q4_Z:group=64 --to awq

\b
-o x.gguf   a file that llama.cpp runs
-o x.bin    a model.bin, fourcc's own container, which holds every format
-o x/       a folder for transformers and vLLM, weights as compressed-tensors stores them; --to awq or gptq: as these do

--recipe, --format and --policy say which format each tensor gets. --size and --budget find the best mix themselves:
they calibrate on most of the text, and measure on the rest what each format costs each matrix; without a text they are
refused.

Beside a recipe, format or policy the text is optional: it weighs the errors, and the KL divergence from the original is
measured on its end. Without it all errors of a tensor count alike, and no divergence is measured.

--resume goes on with the writing. With a text it is refused: `fourcc calibrate`, `measure`, `allocate` and `convert` do
the steps one by one, and are resumed."""

OutputPath = Annotated[
    str | None, typer.Option("--output", "-o", metavar="PATH", help="x.gguf, x.bin, or a folder, x/.")
]
SizeBytes = Annotated[
    str | None, typer.Option("--size", metavar="BYTES", help="Find the best mix of formats for an output of 500MB.")
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="KIND",
        help="The kind, where the output's name does not tell it.",
        autocompletion=completion.exported,
    ),
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="TAG[,TAG]",
        help="Format for tensors that the output cannot hold.",
        autocompletion=completion.tags,
    ),
]
Text = Annotated[
    Path | None,
    typer.Option("--calibration-text", metavar="FILE", help="7/8 of it calibrate, the rest measures the result."),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(quantize)


def quantize(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    output: OutputPath = None,
    recipe: options.Recipe = None,
    formats: options.Formats = None,
    policy: options.PolicyFile = None,
    size: SizeBytes = None,
    budget: budget_options.Size = None,
    text: Text = None,
    documents: options.Documents = False,
    calibration: options.CalibrationFile = None,
    tags: budget_options.Options = None,
    pins: budget_options.Pins = None,
    feedback: options.Feedback = None,
    damping: options.Damping = None,
    no_feedback_for: options.NoFeedbackFor = None,
    to: To = None,
    instead: As = None,
    shard: options.ShardSize = None,
    tokenizer: options.Tokenizer = None,
    pre: options.Pre = None,
    dry_run: options.DryRun = False,
    memory: Memory = None,
    resume: Resume = False,
    force: options.Force = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Quantize a model, to GGUF, a model.bin or a folder."""
    from fourcc.quantizing.work import QuantizationMeans, opened_work

    given = {"format": formats, "recipe": recipe, "policy": policy, "size": size, "budget": budget}
    further = {"documents": documents, "instead": instead or "", "no_feedback_for": tuple(no_feedback_for or ())}
    asked = _request(given, calibration, text, tags, pins, feedback_choice(feedback, damping), further, memory)
    with ExitStack() as stack:
        stages = BudgetStages(stack, quiet=quiet)
        means = QuantizationMeans(tokenizer, pre, threads, stages.begin, stages.note, resume)
        work = opened_work(source, _container(output, asked, to, shard, dry_run=dry_run), asked, stack, means)
        return _show(work, quiet=quiet, as_json=as_json) if dry_run else _do(work, stages, force, quiet, as_json)


def _request(  # noqa: PLR0913, PLR0917 - the options
    given: Mapping[str, object],
    calibration: Path | None,
    text: Path | None,
    tags: str | None,
    pins: list[str] | None,
    feedback: str | Feedback | None,
    further: Mapping[str, Any],
    memory: str | None,
) -> Quantization:
    """The request that the options make. Raises UsageError where they contradict each other."""
    from fourcc.calibration.pins import as_pins
    from fourcc.calibration.reading import open_calibration
    from fourcc.policy.amounts import memory_cap
    from fourcc.quantizing.request import Quantization, feedback_for, rules_or_budget

    rules, budget = rules_or_budget(given, "--")
    asked = Quantization(
        rules,
        budget,
        None if calibration is None else open_calibration(calibration),
        text,
        tags,
        as_pins(pins or ()),
        feedback_for(feedback, budget),
        memory=memory_cap(memory, "--memory"),
        **further,
    )
    asked.check("--")
    return asked


def _container(
    output: str | None, asked: Quantization, to: str | None, shard: str | None, *, dry_run: bool
) -> Container:
    """The container that is asked for; a dry run of rules needs no output where ``--to`` tells the kind."""
    from fourcc.quantizing.container import container_of

    if dry_run and asked.budget is not None:
        hint = "The mix is known once it was measured; `fourcc measure` and `allocate` do that step by step."
        raise UsageError("--dry-run goes with --recipe, --format and --policy", hint=hint)
    if output is None and not (dry_run and to is not None):
        raise UsageError("quantize needs an output", hint="Add -o x.gguf, -o x.bin, or -o x/ for a folder.")
    return container_of(output or "", to, shard, asked.rules)


def _show(work: QuantizationWork, *, quiet: bool, as_json: bool) -> None:
    """Shows what would be written."""
    planned, notes = work.shown()
    terminal.notes(notes, quiet=quiet)
    output = Path(work.container.spelled) if work.container.spelled else None
    cap = None if work.asked.memory is None else str(work.asked.memory)
    how = AskedExecution(threads=work.means.threads, memory=cap)
    plan_table.show(planned, how.forecast(planned, output), as_json=as_json)


def _do(work: QuantizationWork, stages: BudgetStages, force: bool, quiet: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command
    """Quantizes, and shows what it came to."""
    made = work.done(force=force)
    stages.clear()
    terminal.notes(made.notes, quiet=quiet)
    if as_json:
        quantize_tables.show_document(_written(work, made), made)
    elif not quiet:
        quantize_tables.show(_written(work, made), made)


def _written(work: QuantizationWork, made: Quantized) -> str:
    """The output as the user spelled it; of shards, their list or the first."""
    output = work.container.output
    return work.container.spelled if made.path.name == output.name else str(output.with_name(made.path.name))
