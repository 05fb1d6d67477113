"""`fourcc bench`: the speed of kernels, as shares of this machine's limits and beside other projects'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import bench_tables, json_documents, terminal
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion
from fourcc.cli.shared.options import Json, Quiet

if TYPE_CHECKING:
    from fourcc.bench.plan import BenchPlan
    from fourcc.bench.results import Results

EPILOG = """\b
Examples:
  fourcc bench
  fourcc bench --format Q4_0,F32 --shape 4096x4096 --threads 1
  fourcc bench --peers --json
  fourcc bench --simd avx2,portable

Each thing is measured in turns with all others. Rates are those of the best sample and of the median one. Shares and
ratios compare best with best, and, beside the median, turn by turn: what a product is a share of is measured before
each of its samples, and a peer's product right after it; the median of all turns is shown. A product's weights come
from memory: each sample goes through at least 250 MB of them, and through more than the largest cache holds."""

Tags = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="TAG,...", help="Formats.  [default: all with a kernel]", autocompletion=completion.tags
    ),
]
Shapes = Annotated[
    str | None, typer.Option("--shape", metavar="ROWSxCOLS,...", help="Matrices.  [default: 4096x4096,4096x11008]")
]
Threads = Annotated[
    str | None, typer.Option("--threads", metavar="N,...", help="Numbers of threads.  [default: from 1 to the cores]")
]
Counts = Annotated[
    str | None, typer.Option("-n", "--n", metavar="N,...", help="Numbers of activations.  [default: 1,4,512]")
]
Quick = Annotated[bool, typer.Option("--quick", help="Small matrices, few repeats: whether it works, not how fast.")]
Peers = Annotated[bool, typer.Option("--peers", help="Measure other projects' kernels, too, as far as installed.")]
Targets = Annotated[
    str | None,
    typer.Option(
        "--simd",
        metavar="TARGET,...",
        help="Run again for these families of processors.",
        autocompletion=completion.simd_target,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("bench", epilog=EPILOG)(bench)


def bench(  # noqa: PLR0913 - one an option
    *,
    formats: Tags = None,
    shapes: Shapes = None,
    threads: Threads = None,
    counts: Counts = None,
    quick: Quick = False,
    peers: Peers = False,
    simd: Targets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure the kernels against the limits of this machine.

    Reading memory, the products of each format with one activation and with several, decoding and encoding.
    """
    from fourcc.bench import plan, targets

    planned = plan.make(formats=formats, shapes=shapes, threads=threads, counts=counts, quick=quick, peers=peers)
    names = [] if simd is None else targets.checked(simd)
    results = _run(planned, quiet=quiet)
    others = {}
    for name in names:
        terminal.notes([f"again, for {name}"], quiet=quiet)
        others[name] = targets.run(name, planned, quick=quick)
    if as_json:
        json_documents.show("bench", {**results.document(), "targets": others})
        return
    bench_tables.show(results, others)
    terminal.notes(results.notes, quiet=quiet)


def _run(plan: BenchPlan, *, quiet: bool) -> Results:
    from fourcc.bench.run import BenchRun

    with Steps("measuring", 0, quiet=quiet) as progress:
        return BenchRun(plan, progress).results()


class Steps(Progress):
    """Progress of work whose steps are of no equal length, so that no rate is told."""

    paced = False
