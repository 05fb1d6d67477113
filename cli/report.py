"""`fourcc report`: a model as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.reporting.document import ModelReport

EPILOG = """\b
Examples:
  fourcc report model.bin -o report.html
  fourcc report model.bin original.bin -o report.html
  fourcc report model.gguf --costs model.costs --calibration model.calib -o report.html
  fourcc report large.gguf --quick -o report.html

The page is one file that loads nothing: it can be sent, printed and kept. It shows the model as a map of layers by
bits, error or divergence, each tensor with its weights, the policy, and where the file lies by the frontier of its
costs. `fourcc inspect SRC --web` shows it in a browser without a file. It needs the extra 'report'."""

DEFAULT_SAMPLE = 1 << 16  # `fourcc.reporting.weights.SAMPLE`, which loads numpy

Against = Annotated[
    Path | None, typer.Argument(metavar="SRC2", help="Compare with it; its weights count as the original.")
]
Target = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Page to write, HTML.")]
CostsFile = Annotated[
    Path | None, typer.Option("--costs", metavar="FILE", help="What `fourcc measure` wrote: divergences, frontier.")
]
CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", metavar="FILE", help="What `fourcc calibrate` wrote: inputs.")
]
Sample = Annotated[int, typer.Option("--sample", metavar="N", help="Weights of a tensor that are looked at; 0: all.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Read no weight: no histograms, no measured errors, no checksums.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(report)


def report(  # noqa: PLR0913 - one an option
    source: options.Source,
    against: Against = None,
    *,
    output: Target,
    costs: CostsFile = None,
    calibration: CalibrationFile = None,
    sample: Sample = DEFAULT_SAMPLE,
    quick: Quick = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Write a page that shows a model, or two side by side."""
    options.check_sample(sample)
    if quick and sample != DEFAULT_SAMPLE:
        raise UsageError("--quick and --sample exclude each other", hint="--quick reads no weight.")
    from fourcc.reporting.by_path import report as write

    with Progress("reading", 0, quiet=quiet, unit="tensors") as progress:
        made = write(
            source,
            output,
            against=against,
            costs=costs,
            calibration=calibration,
            sample=None if quick else sample,
            force=force,
            progress=progress,
        )
    terminal.notes(made.troubles, quiet=quiet)
    if as_json:
        json_documents.show("report", _document(source, output, made))
    elif not quiet:
        text = f"{output}: {len(made.tensors)} tensors, {units.plain_bytes(output.stat().st_size)}"
        terminal.out(terminal.safe(text))


def _document(source: Path, output: Path, made: ModelReport) -> dict[str, object]:
    return {
        "file": str(source),
        "output": str(output),
        "bytes": output.stat().st_size,
        "tensors": len(made.tensors),
        "compared": None if made.compared is None else made.compared.name,
        "checked": made.checked,
        "troubles": list(made.troubles),
        "notes": list(made.notes),
    }
