"""How a conversion on a cluster scales: recorded pieces, dask's scheduler with many workers, and the limits on paper.

    python -m tests.lanes.cluster_scaling

Three tables. The first records what pieces take on one core here, and how long the messages about them are. The second
lets dask's scheduler hand out tasks that sleep as long as those pieces took, with messages as long, to 1 to 200
workers; they share one process with the scheduler and the command, so that the overhead is more than on machines of
their own. The third is on paper: the pieces of a model of 70 billion weights, handed out in order to whoever is free,
with that overhead, and the bytes a second that the shared disk then has to give.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import pickle
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import attrs
import dask
import distributed
from distributed import Client, LocalCluster

import fourcc
from fourcc.cluster.conditions import conditions
from fourcc.cluster.dask_executor import CONFIG, DaskExecutor
from fourcc.cluster.workers import Job, Workers
from fourcc.conversion.plan import plan
from fourcc.conversion.spread.pieces import pieces
from fourcc.policy import Policy
from fourcc.sources.source import Source, SourceTensor
from tests.lanes.large import write_model

FORMATS = ("Q4_0", "Q4_K", "Q6_K", "Q8_0")
WORKERS = (1, 10, 50, 100, 200)
PAPER = (1, 10, 50, 100, 200, 500, 1000, 2000)
TASKS = 8  # a worker in the simulation
EMPTY = 400  # tasks that measure what a task costs the scheduler
LAYER = {"wq": (8192, 8192), "wk": (1024, 8192), "wv": (1024, 8192), "wo": (8192, 8192), "w1": (28672, 8192)}
LAYER |= {"w3": (28672, 8192), "w2": (8192, 28672), "attention_norm": (8192,), "ffn_norm": (8192,)}


@attrs.frozen
class Recorded:
    """The cost of a piece.

    Attributes:
        weights: that it has.
        seconds: of a core; what neighbours on the machine take does not count.
        request: bytes of the message to the worker.
        result: bytes of the answer.
    """

    weights: int
    seconds: float
    request: int
    result: int


class Recorder(Executor):
    """An executor that does each task at once, and records it."""

    def __init__(self) -> None:
        self.tasks: list[Recorded] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Does a task."""
        began = time.process_time()
        answer, future = function(*args), Future[Any]()
        seconds = time.process_time() - began
        if args[3]:
            (request,) = args[3]
            sizes = len(pickle.dumps(args)), len(pickle.dumps(answer))
            self.tasks.append(Recorded(request.piece.weights, seconds, *sizes))
        future.set_result(answer)
        return future


def recorded(folder: Path, tag: str) -> list[Recorded]:
    """The pieces of a model of 256 MiB that are encoded in a format; what is compiled first does not count."""
    source = folder / "model.safetensors"
    if not source.exists():
        write_model(source, 0.25)
    for _ in range(2):
        recorder = Recorder()
        fourcc.convert(source, folder / "model.bin", format=f"{tag},F16", executor=recorder, force=True)
    return recorder.tasks


def seventy_billion(tag: str) -> list[int]:
    """The weights of each piece of a Llama of 80 layers, in the order of the file."""
    shapes = {"tok_embeddings": (128256, 8192), "output": (128256, 8192), "norm": (8192,)}
    for layer, (name, shape) in itertools.product(range(80), LAYER.items()):
        shapes[f"layers.{layer}.{name}"] = shape
    tensors = tuple(SourceTensor(name, name, shape, "BF16", lambda *_: {}) for name, shape in shapes.items())
    source = Source(Path("llama-70b"), "made up", tensors, ())
    return [piece.weights for step in plan(source, Policy.shorthand(f"{tag},F16")).steps for piece in pieces(step)]


def rest(seconds: float, request: bytes, result: int) -> bytes:
    """A task that takes a while, and answers with so many bytes."""
    time.sleep(seconds)
    return bytes(result)


def simulated(count: int, tasks: Sequence[Recorded]) -> float:
    """Seconds in which dask's scheduler has so many workers do tasks, after all are connected."""
    with (
        dask.config.set(CONFIG),
        LocalCluster(
            n_workers=count, threads_per_worker=1, processes=False, protocol="tcp", memory_limit=0, silence_logs=50,
            dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        Workers(DaskExecutor(client), conditions([], [])) as workers,
    ):  # fmt: skip
        jobs = [Job(n, rest, (each.seconds, bytes(each.request), each.result)) for n, each in enumerate(tasks)]
        start = time.perf_counter()
        for _ in workers.results(jobs):
            pass
        return time.perf_counter() - start


def in_turn(seconds: Iterable[float], workers: int) -> float:
    """The time in which workers do tasks that are handed out in order to whoever is free."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def say(*cells: object) -> None:
    """Prints a row of a Markdown table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def head(*cells: str) -> None:
    """Prints the head of a Markdown table."""
    print()
    say(*cells)
    say(*("--:" for _ in cells))


def tell_recorded(folder: Path) -> dict[str, list[Recorded]]:
    """Prints what pieces take; gives it, by formats."""
    head("format", "weights of a piece", "seconds", "million weights a second", "bytes to a worker", "bytes back")
    found = {}
    for tag in FORMATS:
        found[tag] = tasks = recorded(folder, tag)
        middle = sorted(tasks, key=lambda each: each.seconds)[len(tasks) // 2]
        rate = middle.weights / middle.seconds / 1e6
        say(tag, middle.weights, f"{middle.seconds:.2f}", f"{rate:.1f}", middle.request, middle.result)
    return found


def tell_overhead(tasks: Sequence[Recorded]) -> float:
    """Prints, and gives, the seconds that a task costs the scheduler: those of tasks that do nothing."""
    empty = [attrs.evolve(each, seconds=0.0) for each in itertools.islice(itertools.cycle(tasks), EMPTY)]
    found = simulated(4, empty) / EMPTY
    print(f"\n{EMPTY} tasks that do nothing, on 4 workers: {1e3 * found:.1f} ms each")
    return found


def tell_simulated(tasks: Sequence[Recorded], counts: Iterable[int]) -> None:
    """Prints what dask's scheduler makes of workers."""
    head("workers", "tasks", "seconds of work", "seconds", "efficiency", "without overhead")
    for count in counts:
        chosen = list(itertools.islice(itertools.cycle(tasks), TASKS * count))
        work, ideal = sum(each.seconds for each in chosen), in_turn((each.seconds for each in chosen), count)
        took = simulated(count, chosen)
        best, real = work / ideal / count, work / took / count
        say(count, len(chosen), f"{work:.0f}", f"{took:.1f}", f"{real:.0%}", f"{best:.0%}")


def tell_paper(tag: str, rate: float, overhead: float, counts: Iterable[int]) -> None:
    """Prints how a model of 70 billion weights is converted.

    Args:
        tag: the format.
        rate: weights a second of one core.
        overhead: seconds of the scheduler a task.
        counts: numbers of workers.
    """
    weights = seventy_billion(tag)
    seconds = [each / rate for each in weights]
    moved = sum(weights) * (2 + float(fourcc.registry[tag].bits_per_weight()) / 8)  # bytes read and written
    print(f"\n{len(weights)} pieces, {sum(weights) / 1e9:.1f} billion weights, the longest {max(seconds):.1f} s")
    head("workers", "minutes", "efficiency", "GB a second of the shared disk", "bound by")
    for count in counts:
        turns, scheduling = in_turn(seconds, count), overhead * len(weights)
        took = max(turns, scheduling)
        bound = (
            "the scheduler"
            if scheduling > turns
            else "the last pieces"
            if turns > 1.2 * sum(seconds) / count
            else "work"
        )
        say(count, f"{took / 60:.2f}", f"{sum(seconds) / took / count:.0%}", f"{moved / took / 1e9:.2f}", bound)


def main() -> int:
    """Parses, records, simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", default="Q4_K", choices=FORMATS, help="of the second and third table")
    parser.add_argument("--most", type=int, default=max(WORKERS), help="workers of the second table")
    args = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, dask {distributed.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        found = tell_recorded(Path(folder))[args.format]
    overhead = tell_overhead(found)
    tell_simulated(found, [count for count in WORKERS if count <= args.most])
    rate = sum(each.weights for each in found) / sum(each.seconds for each in found)
    tell_paper(args.format, rate, overhead, PAPER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
