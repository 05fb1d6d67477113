"""The start lane: processor time up to the first token, beside a process that calls one cached kernel of numba.

    python tests/lanes/start.py

Exits with 1 where the median is more than 1.5 times the other's. Both are run once before they count.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fourcc

BOUND = 1.5
ROUNDS = 7
NUMBA = """
import numba, numpy as np

@numba.njit(cache=True)
def total(x):
    sum = 0.0
    for each in x:
        sum += each
    return sum

print(total(np.ones(10)))
"""
MODELS = Path(__file__).parents[2] / "fourcc" / "example"


def seconds(command: Sequence[str | Path], folder: Path) -> float:
    """Processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, cwd=folder, check=True, capture_output=True, env={**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, rounds: int) -> tuple[float, float]:
    """Median seconds of processor time: the first token's, and the numba process's."""
    model = folder / "model.bin"
    policy, tokenizer = fourcc.Policy.shorthand("Q8_0,F16"), MODELS / "tiny_tokenizer.bin"
    fourcc.convert(MODELS / "tiny.bin", model, policy=policy, tokenizer=tokenizer)
    (folder / "total.py").write_text(NUMBA)
    commands = [sys.executable, "-m", "fourcc", "run", model, "-n", "2", "-q"], [sys.executable, "total.py"]
    times = [[seconds(command, folder) for command in commands] for _ in range(rounds + 1)][1:]
    own, others = (statistics.median(each) for each in zip(*times, strict=True))
    return own, others


def main() -> int:
    """Measures, prints."""
    with tempfile.TemporaryDirectory() as folder:
        own, other = measure(Path(folder), ROUNDS)
    print(f"first token {own:.2f} s, numba and one cached kernel {other:.2f} s: {own / other:.2f} times, bound {BOUND}")
    return int(own > BOUND * other)


if __name__ == "__main__":
    sys.exit(main())
