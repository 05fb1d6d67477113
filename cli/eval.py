"""`fourcc eval`: perplexity of models on a text, and their divergence from a reference."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, tables
from fourcc.cli.render.eval_tables import Measured
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options
from fourcc.cli.shared.execution_options import AskedExecution, Cluster
from fourcc.cli.shared.open_model import asked_rules, model_to_run
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.models.model import ActivationMode, Model
    from fourcc.models.windows import Protocol
    from fourcc.policy import Policy

EPILOG = """\b
Examples:
  fourcc eval model.bin --text story.txt
  fourcc eval q8.bin q4.bin --text story.txt --reference model.bin
  fourcc eval q4.bin --text story.txt --reference model.bin --max-kld 0.05 || echo worse
  fourcc eval stories.bin --format Q4_0,F16 --text story.txt --reference stories.bin

The reference runs in lock step, with activations that nothing rounds; no logits are stored.
--format, --recipe and --policy convert the models, but not the reference, to a temporary file first."""

Models = Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Models: model.bin, or checkpoints.")]
Text = Annotated[Path, typer.Option("--text", metavar="FILE", help="The text, UTF-8.")]
Reference = Annotated[Path | None, typer.Option("--reference", metavar="MODEL", help="What the others should be like.")]
Context = Annotated[
    int,
    typer.Option(
        "--context", metavar="N", help="Tokens of a window.  [default: the models' context]", show_default=False
    ),
]
Stride = Annotated[
    int,
    typer.Option(
        "--stride", metavar="N", help="New tokens of a window.  [default: windows do not overlap]", show_default=False
    ),
]
Exact = Annotated[bool, typer.Option("--exact", help="Measure also without the kernels' rounding of activations.")]
Limit = Annotated[
    int, typer.Option("--tokens", metavar="N", help="Tokens to score at most.  [default: all]", show_default=False)
]
GATES = "Gates (exit code 1 where one fails)"  # heading of a help page
MaxKld = Annotated[
    float | None,
    typer.Option(
        "--max-kld", metavar="X", help="With --reference: the mean KL divergence is at most X.", rich_help_panel=GATES
    ),
]
MaxRatio = Annotated[
    float | None,
    typer.Option(
        "--max-ppl-ratio",
        metavar="X",
        help="With --reference: the perplexity ratio is at most X.",
        rich_help_panel=GATES,
    ),
]
MinTop1 = Annotated[
    float | None,
    typer.Option(
        "--min-top1",
        metavar="X",
        help="With --reference: top-1 agreement, 0 to 1, is at least X.",
        rich_help_panel=GATES,
    ),
]
Tokenizer = Annotated[
    Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer to use in place of the models'.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval", epilog=EPILOG)(evaluate)


def evaluate(  # noqa: PLR0913 - one an option
    models: Models,
    *,
    text: Text,
    reference: Reference = None,
    context: Context = 0,
    stride: Stride = 0,
    parted: options.Documents = False,
    limit: Limit = 0,
    activations: options.Activations = "dynamic",
    exact: Exact = False,
    max_kld: MaxKld = None,
    max_ratio: MaxRatio = None,
    min_top1: MinTop1 = None,
    tokenizer: Tokenizer = None,
    policy: options.PolicyFile = None,
    recipe: options.Recipe = None,
    formats: options.Formats = None,
    threads: options.Threads = None,
    cluster: Cluster = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure models on a text: perplexity, KL divergence."""
    from fourcc.models.evaluation import common_context
    from fourcc.models.windows import Protocol

    gates = {"max_kld": max_kld, "max_ppl_ratio": max_ratio, "min_top1": min_top1}
    _check(gates, reference)
    with ExitStack() as stack:
        opened = partial(model_to_run, tokenizer=tokenizer, stack=stack, quiet=quiet, as_json=as_json)
        rules = _rules(policy, formats, recipe, cluster)
        files = [opened(path, rules=rules) for path in models]
        against = None if reference is None else opened(reference, rules=None)
        longest = common_context([*files, *([against] if against else [])], context)
        protocol = Protocol(longest, stride, parted, limit)
        modes: list[ActivationMode] = [activations, "exact"] if exact else [activations]
        how = AskedExecution(threads=threads, cluster=cluster)
        measured = _measure(files, against, text, protocol, how, modes, quiet=quiet)
    _show(measured, measured.failures(gates), as_json=as_json)


def _show(measured: Measured, failures: list[str], *, as_json: bool) -> None:
    """Writes the result, and the gates that do not hold, to stdout. Raises Exit where there are some."""
    if as_json:
        json_documents.show("eval", {**measured.document(), "failed": failures})
    else:
        measured.show()
        for line in failures:
            tables.paragraph(line, style=("red",))
    if failures:
        raise typer.Exit(1)


def _check(gates: dict[str, float | None], reference: Path | None) -> None:
    """Raises UsageError for a gate that cannot be checked, or whose number is out of range."""
    for name, gate in gates.items():
        if gate is None:
            continue
        if reference is None:
            raise UsageError("a gate needs a reference to compare with", hint="Add --reference MODEL.")
        most = 1 if name == "min_top1" else inf
        if not 0 <= gate <= most or gate == inf:
            expected = "a share, 0 to 1" if most == 1 else "a number from 0 on"
            raise UsageError(f"bad value of --{name.replace('_', '-')}", found=f"{gate:g}", expected=expected)


def _rules(policy: Path | None, formats: str | None, recipe: str | None, cluster: str | None) -> Policy | None:
    """The policy of a conversion. Raises UsageError on a cluster, where no other machine sees a temporary file."""
    rules = asked_rules(policy, formats, recipe)
    if rules is not None and cluster is not None:
        hint = "Convert the models first, and evaluate the files."
        raise UsageError("--cluster evaluates models as they are stored", hint=hint)
    return rules


def _measure(
    files: list[Model],
    against: Model | None,
    text: Path,
    protocol: Protocol,
    running: AskedExecution,
    modes: list[ActivationMode],
    *,
    quiet: bool,
) -> Measured:
    from fourcc.models.evaluation import measure
    from fourcc.models.scored_models import EvaluatedModel
    from fourcc.models.text_files import as_text

    subjects = [EvaluatedModel(file, mode) for file in files for mode in modes]
    data = text.read_bytes()
    with Progress("scoring", 0, quiet=quiet, unit="tokens") as progress, running.connected(progress) as how:
        scores = measure(subjects, as_text(data, text), protocol, against, how)
    plain, exactly = (scores[::2], scores[1::2]) if len(modes) > 1 else (scores, None)
    return Measured(text, hashlib.sha256(data).hexdigest(), [str(file.path) for file in files], plain, exactly)
