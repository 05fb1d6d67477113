"""A run of whole models: it writes them, gives each engine its turns, and compares the better of a peer's settings."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import attrs

from fourcc import installation
from fourcc.bench.models.making import write_model
from fourcc.bench.models.shapes import ModelShape
from fourcc.bench.models.trial import ENGINES, OWN, ModelTrial, TrialOutcome, run_trial
from fourcc.bench.peers.peer import absent
from fourcc.bench.timing import Tell
from fourcc.errors import UsageError

PEER = "llama.cpp"
PHASES = ("prompt", "generated", "fresh")
NEIGHBOUR = "while True: pass"


@attrs.frozen
class ModelPlan:
    """Models, formats and numbers to measure.

    Attributes:
        shapes: of the models.
        tags: formats of their matrices.
        threads: numbers of threads.
        prompt, generated: tokens.
        rounds: turns of each engine, each in a new process.
        repeats: within a turn.
        peers: whether llama.cpp is measured too.
        busy: whether another process keeps a core busy during the run.
    """

    shapes: tuple[ModelShape, ...]
    tags: tuple[str, ...]
    threads: tuple[int, ...]
    prompt: int = 512
    generated: int = 128
    rounds: int = 3
    repeats: int = 3
    peers: bool = False
    busy: bool = False


@attrs.frozen
class ModelResult:
    """The result of one engine with one model and a number of threads.

    Attributes:
        model, tag, threads, engine: of the run.
        rates: median tokens a second of each of `PHASES`.
        peak: most bytes of resident memory.
        file: bytes of the model's file.
        cache: bytes of keys and values, as float32.
        ratios: the rates as multiples of the peer's; empty if no peer ran, or for the peer itself.
    """

    model: str
    tag: str
    threads: int
    engine: str
    rates: Mapping[str, float]
    peak: int
    file: int
    cache: int
    ratios: Mapping[str, float] = attrs.field(factory=dict)


def run(plan: ModelPlan, tell: Tell) -> list[ModelResult]:
    """Measures the plan.

    Raises:
        UsageError: an engine fails, or the peer is not installed.
    """
    missing = absent("llama_cpp") if plan.peers else None
    if missing is not None:
        raise UsageError(f"there is no peer to measure: {missing}", hint=installation.hint("bench"))
    results: list[ModelResult] = []
    steps = [(shape, tag) for shape in plan.shapes for tag in plan.tags]
    for done, (shape, tag) in enumerate(steps):
        with tempfile.TemporaryDirectory(prefix="fourcc-bench-") as folder:
            tell(f"{shape.name} {tag}: writing", done, len(steps))
            files = _files(Path(folder), shape, tag, plan)
            for threads in plan.threads:
                tell(f"{shape.name} {tag}, {threads} threads", done, len(steps))
                results += _compared(_results(plan, shape, tag, threads, files))
    return results


def _files(folder: Path, shape: ModelShape, tag: str, plan: ModelPlan) -> dict[str, Path]:
    """Engine -> its model file."""
    own = write_model(folder / "model.bin", shape, tag, plan.prompt + plan.generated)
    if not plan.peers:
        return {OWN: own}
    from fourcc.bench.models.llama_cpp import write_gguf

    theirs = write_gguf(own, folder / "model.gguf")
    return {engine: own if engine == OWN else theirs for engine in ENGINES}


def _results(
    plan: ModelPlan, shape: ModelShape, tag: str, threads: int, files: Mapping[str, Path]
) -> Iterator[ModelResult]:
    """Results of the engines, run in turns; each rate of a peer is that of its fastest setting."""
    outcomes: dict[str, list[TrialOutcome]] = {engine: [] for engine in files}
    with _neighbour() if plan.busy else nullcontext():
        for _ in range(plan.rounds):
            for engine, path in files.items():
                trial = ModelTrial(engine, str(path), threads, plan.prompt, plan.generated, plan.repeats)
                outcomes[engine].append(run_trial(trial))
    named = {OWN: [OWN], PEER: [engine for engine in files if engine != OWN]}
    for name, engines in named.items():
        if engines:
            all_rates = [_rates(outcomes[engine], plan) for engine in engines]
            yield ModelResult(
                shape.name,
                tag,
                threads,
                name,
                {phase: max(each[phase] for each in all_rates) for phase in PHASES},
                min(max(each.peak for each in outcomes[engine]) for engine in engines),
                files[engines[0]].stat().st_size,
                shape.cache_bytes(plan.prompt + plan.generated),
            )


def _rates(outcomes: list[TrialOutcome], plan: ModelPlan) -> dict[str, float]:
    """Median tokens a second of each phase."""
    counts = {"prompt": plan.prompt, "generated": plan.generated, "fresh": plan.generated}
    return {
        phase: count / statistics.median(seconds for each in outcomes for seconds in getattr(each, phase))
        for phase, count in counts.items()
    }


def _compared(results: Iterator[ModelResult]) -> list[ModelResult]:
    own, *peers = results
    for peer in peers:
        own = attrs.evolve(own, ratios={phase: own.rates[phase] / peer.rates[phase] for phase in PHASES})
    return [own, *peers]


@contextmanager
def _neighbour() -> Iterator[None]:
    """Keeps another process busy within the block."""
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR])  # noqa: S603 - nothing but a loop
    try:
        yield
    finally:
        process.kill()
        process.wait()
