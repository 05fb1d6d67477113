"""The lane of speed between two installs: `q @ x`, conversion and generation, turn by turn, as ratios.

    python tests/lanes/two_installs.py OLD/bin/python NEW/bin/python [--turns 41] [--format Q4_0,Q8_A]

Each install runs in a process of its own. They measure in turns, the first alternately, so that a noisy minute of the
machine hits both; some pairs of processes follow each other, since where a process gets its memory counts, too. A
ratio is the median over the turns of (old time / new time): above 1 the new install is faster. The quartiles beside
it say how far to trust it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "fourcc" / "example" / "tiny.bin"
TOKENIZER = ROOT / "fourcc" / "example" / "tiny_tokenizer.bin"
PAIRS = 4  # pairs of processes a job: where a process happens to get its memory counts for some percent
FORMATS = "F32,F16,BF16,Q4_0,Q8_0,Q8_A,Q8_B,Q4_A,Q4_K,Q6_K,NF4"

# Reads a line of JSON, measures, answers with seconds. It uses only what both installs have.
WORKER = """
import json, sys, tempfile, time
from pathlib import Path
import numpy as np
import fourcc

matrices = {}

def product(tag, rows, cols, n):
    key = tag, rows, cols
    if key not in matrices:
        numbers = np.random.default_rng(1).standard_normal((rows, cols)).astype(np.float32)
        matrices[key] = fourcc.encode(numbers, tag)
    q = matrices[key]
    x = np.random.default_rng(2).standard_normal((cols, n) if n > 1 else cols).astype(np.float32)
    repeat = max(3, min(400, int(3e8 / (rows * cols * n))))
    q @ x
    begin = time.perf_counter()
    for _ in range(repeat):
        q @ x
    return (time.perf_counter() - begin) / repeat

def convert(model, tag):
    with tempfile.TemporaryDirectory() as folder:
        policy = fourcc.Policy.shorthand(tag + ",F16")
        begin = time.perf_counter()
        fourcc.convert(model, Path(folder) / "model.bin", policy=policy)
        return time.perf_counter() - begin

def generate(model, tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        fourcc.convert(model, path, policy=fourcc.Policy.shorthand("Q8_0,F16"), tokenizer=tokenizer)
        with fourcc.open(path) as opened:
            opened.generate("Once", steps=20)
            begin = time.perf_counter()
            opened.generate("Once upon a time", steps=200)
            return time.perf_counter() - begin

for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
"""


class Install:
    """A process of one install, which measures when it is asked to."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def end(self) -> None:
        """Ends the process."""
        self.process.communicate()

    def seconds(self, job: list[object]) -> float:
        """The time of one job."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def ratios(old: str, new: str, job: list[object], turns: int) -> list[float]:
    """Old time by new time, turn by turn, in some pairs of processes; a pair's first turn warms up."""
    values = []
    for _ in range(PAIRS):
        pair = Install(old), Install(new)
        for turn in range(turns // PAIRS + 1):
            order = pair if turn % 2 else pair[::-1]
            seconds = {id(each): each.seconds(job) for each in order}
            values += [seconds[id(pair[0])] / seconds[id(pair[1])]] if turn else []
        for each in pair:
            each.end()
    return values


def jobs(formats: list[str]) -> list[tuple[str, list[object]]]:
    """Names and jobs: small and large matrices, one activation and several, conversions, generation."""
    shapes = [(256, 256, 1), (4096, 4096, 1), (4096, 4096, 8), (1024, 1024, 64)]
    products = [
        (f"{tag} {rows} x {cols}, {n}", ["product", tag, rows, cols, n]) for tag in formats for rows, cols, n in shapes
    ]
    conversions = [(f"convert to {tag}", ["convert", str(MODEL), tag]) for tag in ("Q8_0", "Q4_0", "Q4_A")]
    return [*products, *conversions, ("generate 200 tokens", ["generate", str(MODEL), str(TOKENIZER)])]


def arguments() -> Namespace:
    """The command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--turns", type=int, default=41)
    parser.add_argument("--format", default=FORMATS)
    return parser.parse_args()


def main() -> int:
    """Prints a row for each job; 1 where a median is below 0.98."""
    given = arguments()
    slower = 0
    print(f"{'old time / new time':34} median  quartiles ({given.turns} turns)")
    for name, job in jobs(given.format.split(",")):
        values = ratios(given.old, given.new, job, given.turns)
        low, middle, high = statistics.quantiles(values, n=4)
        slower += middle < 0.98
        print(f"{name:34} {middle:6.3f}  {low:.3f} to {high:.3f}", flush=True)
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())
