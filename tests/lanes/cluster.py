"""The cluster lane: conversions on worker processes of which some are killed give the bytes of one process; and speed.

    python -m tests.lanes.cluster --runs 10 --turns 5 --gib 0.75

Each run kills one to three workers (SIGKILL) at random moments. Then conversions on two threads and on two workers take
turns, and the medians of their seconds are printed. Exits with 1 where an output differs.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import attrs
import psutil

from tests.lanes.large import write_model

FORMATS = "Q4_K,F16"
WORKERS = 2
SPAWNED = "multiprocessing.spawn"  # in the command line of a worker's process


@attrs.frozen
class Lane:
    """The place where the lane works.

    Attributes:
        source: the checkpoint.
        folder: of the outputs.
        formats: that are converted to.
    """

    source: Path
    folder: Path
    formats: str = FORMATS

    def command(self, output: str, *how: str) -> list[str]:
        """The command of a conversion."""
        program = [sys.executable, "-m", "fourcc", "convert", str(self.source), "-o", str(self.folder / output)]
        return [*program, "--format", self.formats, "--force", "-q", *how]

    def seconds(self, output: str, *how: str) -> float:
        """How long a conversion takes."""
        start = time.perf_counter()
        subprocess.run(self.command(output, *how), check=True)
        return time.perf_counter() - start

    def digest(self, output: str) -> str:
        """Digest of an output."""
        with (self.folder / output).open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """The processes of a command that work for it."""
    found = []
    for child in process.children(recursive=True):
        try:
            found += [child] if any(SPAWNED in word for word in child.cmdline()) else []
        except psutil.Error:  # it has ended meanwhile
            continue
    return found


def killed_run(lane: Lane, moments: list[float], chance: random.Random) -> int:
    """Converts on workers, of which one is killed at each moment after the first are seen; the number of kills.

    Raises:
        CalledProcessError: the command failed.
    """
    command = lane.command("killed.bin", "--cluster", f"local:{WORKERS}")
    process = psutil.Popen(command)
    kills = 0
    while process.poll() is None and len(workers_of(process)) < WORKERS:
        time.sleep(0.01)
    start = time.perf_counter()
    for moment in sorted(moments):
        time.sleep(max(0.0, start + moment - time.perf_counter()))
        alive = workers_of(process) if process.poll() is None else []
        if alive:
            chance.choice(alive).kill()
            kills += 1
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
    return kills


def killed_runs(lane: Lane, runs: int, seed: int) -> list[int]:
    """The kills of each run, all of whose outputs are those of one process; raises AssertionError for another one."""
    chance = random.Random(seed)
    lane.seconds("one.bin", "--threads", "2")
    longest = lane.seconds("killed.bin", "--cluster", f"local:{WORKERS}")
    expected = lane.digest("one.bin")
    assert lane.digest("killed.bin") == expected, "no worker was killed"
    kills = []
    for _ in range(runs):
        moments = [chance.uniform(0, longest) for _ in range(chance.randint(1, 3))]
        kills.append(killed_run(lane, moments, chance))
        assert lane.digest("killed.bin") == expected, f"workers were killed after {moments} seconds"
        print(f"{kills[-1]} workers killed: the same bytes", flush=True)
    left = [path.name for path in lane.folder.iterdir() if path.name.startswith(".")]
    assert not left, left
    return kills


def speed(lane: Lane, turns: int) -> tuple[list[float], list[float]]:
    """Seconds of conversions on two threads, and on two workers, which take turns."""
    threads, workers = [], []
    for _ in range(turns):
        threads.append(lane.seconds("one.bin", "--threads", "2"))
        workers.append(lane.seconds("many.bin", "--cluster", f"local:{WORKERS}"))
        print(f"{WORKERS} threads {threads[-1]:.1f} s, {WORKERS} workers {workers[-1]:.1f} s", flush=True)
    return threads, workers


def starting(lane: Lane) -> float:
    """Seconds that a conversion of hardly anything takes on workers: they start, load their libraries, and end."""
    small = attrs.evolve(lane, source=Path(__file__).resolve().parents[2] / "fourcc" / "example" / "tiny.bin")
    return min(small.seconds("small.bin", "--cluster", f"local:{WORKERS}") for _ in range(2))


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--gib", type=float, default=0.75)
    parser.add_argument("--formats", default=FORMATS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.safetensors"
        nbytes = write_model(source, args.gib)
        (Path(folder) / "out").mkdir()
        lane = Lane(source, Path(folder) / "out", args.formats)
        cores, load = psutil.cpu_count(), psutil.getloadavg()[0]
        print(
            f"{platform.machine()}, {cores} cores, load {load:.1f}: {nbytes} bytes of float32 to {args.formats}",
            flush=True,
        )
        kills = killed_runs(lane, args.runs, args.seed)
        print(f"{len(kills)} runs, {sum(kills)} workers killed: every output is that of one process")
        if args.turns:
            threads, workers = speed(lane, args.turns)
            print(f"{WORKERS} threads: {median(threads):.2f} s, {WORKERS} workers: {median(workers):.2f} s")
            ratio = median(a / b for a, b in zip(workers, threads, strict=True))
            print(f"workers / threads, turn by turn: {ratio:.2f}; starting and ending: {starting(lane):.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
