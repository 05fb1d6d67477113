"""One measurement of one engine, in a process of its own, so that others' threads, memory and caches do not count."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

import attrs

from fourcc.errors import UsageError
from fourcc.resident import peak_resident_bytes

# Name -> the module that runs it, and whether attention is fused into one operation where the engine has both.
ENGINES = {
    "fourcc": ("fourcc.bench.models.own", True),
    "llama.cpp": ("fourcc.bench.models.llama_cpp", True),
    "llama.cpp, plain attention": ("fourcc.bench.models.llama_cpp", False),
}
OWN = "fourcc"


@attrs.frozen
class ModelTrial:
    """One engine, model and numbers to measure.

    Attributes:
        engine: a key of `ENGINES`.
        file: the model, in the engine's container.
        threads: how many.
        prompt: tokens that are read at once.
        generated: tokens that follow, one by one.
        repeats: repetitions of the whole, after a first one that does not count.
    """

    engine: str
    file: str
    threads: int
    prompt: int
    generated: int
    repeats: int

    @property
    def fused(self) -> bool:
        """Whether attention is one fused operation."""
        return ENGINES[self.engine][1]

    def tokens(self, vocab: int) -> list[int]:
        """The tokens of prompt and generation: arbitrary, but equal for every engine."""
        return [3 + 7919 * index % (vocab - 3) for index in range(self.prompt + self.generated)]


@attrs.frozen
class TrialOutcome:
    """Seconds that were measured, one number for each repetition.

    Attributes:
        prompt: of the prompt.
        generated: of all generated tokens, after the prompt.
        fresh: of as many tokens with nothing before them.
        peak: most bytes of resident memory.
    """

    prompt: tuple[float, ...]
    generated: tuple[float, ...]
    fresh: tuple[float, ...]
    peak: int


class ModelRunner(Protocol):
    """A model that is ready to run."""

    vocab: int

    def reset(self) -> None:
        """Forgets all tokens."""

    def read(self, tokens: Sequence[int]) -> None:
        """Runs tokens at once, up to the logits of the last one."""


def measured(trial: ModelTrial, runner: ModelRunner) -> TrialOutcome:
    """The seconds that a runner takes."""
    tokens = trial.tokens(runner.vocab)
    times: tuple[list[float], ...] = ([], [], [])
    for _ in range(trial.repeats + 1):
        runner.reset()
        times[0].append(_seconds(lambda: runner.read(tokens[: trial.prompt])))
        times[1].append(_seconds(lambda: _one_by_one(runner, tokens[trial.prompt :])))
        runner.reset()
        times[2].append(_seconds(lambda: _one_by_one(runner, tokens[trial.prompt :])))
    prompt, generated, fresh = (tuple(each[1:]) for each in times)
    return TrialOutcome(prompt, generated, fresh, peak_resident_bytes())


def _one_by_one(runner: ModelRunner, tokens: Sequence[int]) -> None:
    for token in tokens:
        runner.read([token])


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run_trial(trial: ModelTrial) -> TrialOutcome:
    """Measures in a new process.

    Raises:
        UsageError: the engine failed; the message has its last line.
    """
    command = [sys.executable, "-m", "fourcc.bench.models.trial", json.dumps(attrs.asdict(trial))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this module
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UsageError(f"{trial.engine} cannot run the model", file=trial.file, found=said)
    fields = json.loads(done.stdout.splitlines()[-1])
    return TrialOutcome(tuple(fields["prompt"]), tuple(fields["generated"]), tuple(fields["fresh"]), fields["peak"])


def main(text: str) -> None:
    """The process: takes a trial as JSON, and writes its outcome as JSON to stdout."""
    trial = ModelTrial(**json.loads(text))
    outcome: TrialOutcome = import_module(ENGINES[trial.engine][0]).measure(trial)
    sys.stdout.write(json.dumps(attrs.asdict(outcome)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
