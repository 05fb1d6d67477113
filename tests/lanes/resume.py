"""The resume lane: conversions and exports are killed at random moments and gone on with, until they are done.

    python -m tests.lanes.resume --kills 50

Each run is the command line itself in a forked child, which is sent SIGKILL, SIGTERM or SIGINT somewhere between its
start and its end. The files must be those of a run that nothing interrupted, byte for byte, and the work that is done
twice is at most one tensor a kill: tensors are counted as they are written, over all runs. The short form runs with the
thorough tests.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
from safetensors.numpy import save_file

from fourcc.cli.app import main as command_line

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WORK = {
    "convert": ("convert", "out.bin", "--format", "Q4_K,F16"),
    "convert, two threads": ("convert", "out.bin", "--format", "Q6_K,F16", "--threads", "2"),
    "export to GGUF": ("export", "out.gguf", "--format", "Q4_K,F16"),
    "export to a folder": ("export", "out", "--as", "BF16", "--max-shard-size", "1MB"),
}


@attrs.define
class Counts:
    """The counts of what came of one kind of work.

    Attributes:
        kills: signals that ended a run.
        runs: processes that were started.
        finished: times that the work was done.
        tensors: of one output.
        written: tensors that were written, over all runs.
    """

    kills: int = 0
    runs: int = 0
    finished: int = 0
    tensors: int = 0
    written: int = 0

    def __str__(self) -> str:
        again = self.written - self.finished * self.tensors
        return (
            f"{self.kills} kills in {self.runs} runs, {self.finished} outputs of {self.tensors} tensors, "
            f"{again} tensors written twice"
        )


class _Teller(logging.Handler):
    """Appends a byte to a file for each tensor that is written.

    Args:
        path: of the file; its bytes stay, however the process ends.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def emit(self, record: logging.LogRecord) -> None:
        """Counts a tensor; other lines are passed over."""
        if record.name.endswith("step_log"):
            os.write(self._fd, b".")


def model(path: Path, tensors: int, side: int) -> Path:
    """A checkpoint of square matrices of normal weights."""
    rng = np.random.default_rng(0)
    save_file({f"w{n:03}": rng.standard_normal((side, side), dtype=np.float32) for n in range(tensors)}, path)
    return path


def begun(words: Sequence[str], told: Path) -> int:
    """A child that runs a command; gives its process id once it begins. Its standard streams lead nowhere."""
    ready, tells = os.pipe()
    child = os.fork()
    if child:
        os.close(tells)
        os.read(ready, 1)
        os.close(ready)
        return child
    code = 130  # an interrupt before the command begins
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logger = logging.getLogger("fourcc")
        logger.addHandler(_Teller(told))
        logger.setLevel(logging.INFO)
        os.write(tells, b".")
        code = command_line(list(words))
    finally:
        os._exit(code)


def files_of(output: Path) -> dict[str, bytes]:
    """The files of an output: itself, or those in it."""
    paths = sorted(output.iterdir()) if output.is_dir() else [output]
    return {path.name: path.read_bytes() for path in paths}


def finished(child: int) -> int | None:
    """The exit code of a child that is waited for; None where a signal ended it, or it ended itself for one."""
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code < 0 or code > 128 else code


def whole(words: Sequence[str], output: Path, told: Path) -> tuple[dict[str, bytes], float]:
    """The files of a run that nothing interrupts, and its seconds."""
    start = time.perf_counter()
    code = finished(begun(words, told))
    assert code == 0, code
    return files_of(output), time.perf_counter() - start


def lane(folder: Path, source: Path, kind: str, kills: int, seed: int) -> Counts:
    """Kills one kind of work so often; raises AssertionError where the result is another, or too much is done twice."""
    command, name, *options = WORK[kind]
    expected = folder / "expected" / name
    expected.parent.mkdir()
    words = [command, str(source), "-o", str(expected), *options, "--quiet"]
    assert command_line(words) == 0  # imports, and compiles, what the children then have
    files, longest = whole([*words, "--force"], expected, folder / "told")
    counts = Counts(tensors=(folder / "told").stat().st_size)
    moments, told = random.Random(seed), folder / "all"
    while counts.kills < kills:
        output = folder / f"run{counts.finished}" / name
        output.parent.mkdir()
        words = [command, str(source), "-o", str(output), *options, "--resume"]
        while not killed_or_done(words, told, moments, longest, counts):
            pass
        assert files_of(output) == files
        assert [path.name for path in output.parent.iterdir()] == [name], "nothing is left beside it"
        counts.finished += 1
    counts.written = told.stat().st_size
    assert counts.written <= counts.finished * counts.tensors + counts.kills, counts
    return counts


def killed_or_done(words: Sequence[str], told: Path, moments: random.Random, longest: float, counts: Counts) -> bool:
    """One run that gets a signal at a random moment; whether it was done before."""
    child = begun(words, told)
    counts.runs += 1
    time.sleep(moments.uniform(0, 0.6 * longest))
    os.kill(child, moments.choice(SIGNALS))
    code = finished(child)
    if code is None:
        counts.kills += 1
        return False
    assert code == 0, code
    return True


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for kind in WORK:
        with tempfile.TemporaryDirectory() as folder:
            source = model(Path(folder) / "source.safetensors", 64, 512)
            start = time.perf_counter()
            counts = lane(Path(folder), source, kind, args.kills, args.seed)
            print(f"{kind}: {counts}, {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
