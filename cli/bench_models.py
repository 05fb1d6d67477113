"""`fourcc bench-models`: the speed and memory of whole models of random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.bench import Steps
from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.tables import Column
from fourcc.cli.shared import completion
from fourcc.cli.shared.options import Json, Quiet

if TYPE_CHECKING:
    from fourcc.bench.models.run import ModelPlan, ModelResult

EPILOG = """\b
Examples:
  fourcc bench-models
  fourcc bench-models --model 1.1B --format Q4_0 --threads 2 --peers
  fourcc bench-models --model 110M --prompt 4000 --generate 96

Each engine has its turns, each in a new process; rates are medians. "Generated" tokens follow the prompt, "fresh" ones
have nothing before them. --peers runs llama.cpp on the same weights, with and without fused attention; the faster is
shown. "moe" is a mixture of experts. Models are written to the temporary directory: set TMPDIR where it is small."""

COLUMNS = (
    Column("model"),
    Column("format"),
    Column("threads", right=True),
    Column("engine"),
    Column("prompt tok/s", right=True),
    Column("generated tok/s", right=True),
    Column("fresh tok/s", right=True),
    Column("peak memory", right=True),
    Column("file", right=True),
    Column("keys and values", right=True),
    Column("ratios"),
)

EIGHT_BITS = 8  # ggml's id of 8-bit blocks
PACKAGES = ("fourcc", "numpy", "numba", "llvmlite", "llama-cpp-python")

Models = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME,...",
        help="Sizes: 15M, 110M, 1.1B, moe, gemma, ...",
        autocompletion=completion.model_size,
    ),
]
Tags = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="TAG,...",
        help="Formats of the matrices.  [default: ggml's 8-bit blocks]",
        autocompletion=completion.tags,
    ),
]
Threads = Annotated[
    str | None, typer.Option("--threads", metavar="N,...", help="Numbers of threads.  [default: from 1 to the cores]")
]
Prompt = Annotated[int, typer.Option("--prompt", metavar="N", min=1, max=1 << 17, help="Tokens that are read at once.")]
Generate = Annotated[
    int, typer.Option("--generate", metavar="N", min=1, max=1 << 17, help="Tokens that follow, one by one.")
]
Rounds = Annotated[int, typer.Option("--rounds", metavar="N", min=1, max=100, help="Turns of each engine.")]
Peers = Annotated[bool, typer.Option("--peers", help="Measure llama.cpp, too (llama-cpp-python).")]
Busy = Annotated[bool, typer.Option("--busy", help="Keep a core busy with another process meanwhile.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("bench-models", epilog=EPILOG)(bench_models)


def bench_models(  # noqa: PLR0913 - one an option
    *,
    models: Models = "15M,110M",
    formats: Tags = None,
    threads: Threads = None,
    prompt: Prompt = 512,
    generate: Generate = 128,
    rounds: Rounds = 3,
    peers: Peers = False,
    busy: Busy = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure whole models of random weights."""
    from fourcc.bench.models.run import ModelPlan, run
    from fourcc.bench.models.shapes import named
    from fourcc.bench.plan import formats_of, threads_of

    tags = tuple(str(fmt.tag) for fmt in formats_of(formats or _usual()))
    plan = ModelPlan(named(models), tags, threads_of(threads), prompt, generate, rounds, peers=peers, busy=busy)
    with Steps("measuring", 0, quiet=quiet) as progress:
        results = run(plan, progress)
    if as_json:
        json_documents.show("bench-models", _document(plan, results))
        return
    _facts(plan)
    tables.show(COLUMNS, [_row(each) for each in results])


def _usual() -> str | None:
    """The format that is measured by default."""
    from fourcc.plugins.registry import registry

    fmt = registry.foreign("ggml", EIGHT_BITS)
    return None if fmt is None else str(fmt.tag)


def _facts(plan: ModelPlan) -> None:
    from fourcc.bench.machine import machine, versions

    here = machine()
    neighbour = ", with a busy process beside" if plan.busy else ""
    tables.facts(
        [
            ("machine", f"{here.cpu}, {here.usable} of {here.cores} cores, {here.system}"),
            ("versions", ", ".join(f"{name} {each}" for name, each in versions(PACKAGES).items())),
            ("measured", f"{plan.prompt} tokens read, {plan.generated} generated{neighbour}"),
        ]
    )
    terminal.out("")


def _row(each: ModelResult) -> list[str]:
    return [
        each.model,
        each.tag,
        str(each.threads),
        each.engine,
        *(f"{rate:.1f}" for rate in each.rates.values()),
        *map(units.short_bytes, (each.peak, each.file, each.cache)),
        " ".join(f"{ratio:.2f}" for ratio in each.ratios.values()),
    ]


def _document(plan: ModelPlan, results: list[ModelResult]) -> dict[str, object]:
    import attrs

    from fourcc.bench.machine import machine, versions

    return {
        "machine": attrs.asdict(machine()),
        "versions": versions(PACKAGES),
        "prompt": plan.prompt,
        "generated": plan.generated,
        "busy": plan.busy,
        "results": [attrs.asdict(each) for each in results],
    }
