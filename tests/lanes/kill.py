"""The kill lane: conversions over a file are killed at random moments; it must stay the old one or be the new one.

    python tests/lanes/kill.py --runs 200

Each conversion runs in a forked child that is sent SIGKILL somewhere between its start and its end. The short form runs
with the other tests.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import fourcc
from fourcc.files.write import SUFFIX

MODEL = Path(__file__).resolve().parents[2] / "fourcc" / "example" / "tiny.bin"
OLD, NEW = "F16", "Q8_B,F16"


def convert(output: Path, formats: str) -> None:
    """Converts the shipped model over `output`."""
    fourcc.convert(MODEL, output, policy=fourcc.Policy.shorthand(formats), threads=1, force=True)


def identity(path: Path) -> bytes:
    """The file's id, after every byte was checked."""
    damage = list(fourcc.verify(path))
    assert not damage, damage
    with fourcc.open(path) as model:
        return model.digest


def killed_run(output: Path, delay: float) -> bool:
    """One conversion in a child killed after `delay` seconds; whether it was finished before."""
    child = os.fork()
    if not child:
        try:
            convert(output, NEW)
        finally:
            os._exit(0)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def lane(folder: Path, runs: int, seed: int) -> dict[str, int]:
    """How the runs ended; raises AssertionError where the output is neither the old file nor the new one."""
    output = folder / "model.bin"
    convert(output, NEW)  # the first run imports what the children then have
    new = identity(output)
    start = time.perf_counter()
    convert(output, NEW)
    longest = 1.5 * (time.perf_counter() - start)
    convert(output, OLD)
    old = identity(output)
    moments = random.Random(seed)
    ends = {"killed, old file": 0, "killed, new file": 0, "finished": 0}
    for _ in range(runs):
        finished = killed_run(output, moments.uniform(0, longest))
        found = identity(output)
        assert found in {old, new}
        ends["finished" if finished else "killed, new file" if found == new else "killed, old file"] += 1
        if found == new:
            convert(output, OLD)
    convert(output, OLD)
    assert not list(folder.glob(f".*{SUFFIX}")), "the run after a kill removes what it left"
    return ends


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for end, count in lane(Path(folder), args.runs, args.seed).items():
            print(f"{end}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
