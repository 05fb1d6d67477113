"""The resume lane: long work is killed at random moments and gone on with, until it is done.

    python -m tests.lanes.resume --kills 50

Each run is the command line itself in a forked child, which is sent SIGKILL, SIGTERM or SIGINT somewhere between its
start and its end. The files must be those of a run that nothing interrupted, byte for byte, and the work that is done
twice is at most one unit a kill: a tensor of a conversion or an export, a layer and a batch of windows of a
calibration, an option of a matrix of a measurement. Units are counted as they are done, over all runs. The short form
runs with the thorough tests.
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
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from safetensors.numpy import save_file

from fourcc.cli.app import main as command_line

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
EXAMPLE = Path(__file__).resolve().parents[2] / "fourcc" / "example"
READING = ("--text", str(EXAMPLE / "training.txt"), "-z", str(EXAMPLE / "tiny_tokenizer.bin"))
CONVERTED = {
    "convert": ("convert", "out.bin", "--format", "Q4_K,F16"),
    "convert, two threads": ("convert", "out.bin", "--format", "Q6_K,F16", "--threads", "2"),
    "convert to shards": ("convert", "out.bin", "--format", "Q4_K,F16", "--shard-size", "1MB"),
    "export to GGUF": ("export", "out.gguf", "--format", "Q4_K,F16"),
    "export to shards of GGUF": ("export", "out.gguf", "--format", "Q4_K,F16", "--shard-size", "1MB"),
    "export to a folder": ("export", "out", "--as", "BF16", "--shard-size", "1MB"),
}
READ = {
    "calibrate": ("calibrate", "out.calib", *READING),
    "calibrate with Hessians": ("calibrate", "out.calib", *READING, "--hessian", "--documents"),
    "measure": ("measure", "out.costs", *READING, "--options", "Q4_0,Q8_0", "--tokens", "400", "--threads", "1"),
}
WORK = {**CONVERTED, **READ}
TOLD = {"calibrate": "collecting", "measure": "measuring"}  # command -> the end of the logger that tells of a unit


@attrs.define
class Counts:
    """The counts of what came of one kind of work.

    Attributes:
        kills: signals that ended a run.
        runs: processes that were started.
        finished: times that the work was done.
        units: of one output.
        made: units that were done, over all runs.
    """

    kills: int = 0
    runs: int = 0
    finished: int = 0
    units: int = 0
    made: int = 0

    def __str__(self) -> str:
        again = self.made - self.finished * self.units
        return (
            f"{self.kills} kills in {self.runs} runs, {self.finished} outputs of {self.units} units, "
            f"{again} units done twice"
        )


class _Teller(logging.Handler):
    """Appends a byte to a file for each unit that is done.

    Args:
        path: of the file; its bytes stay, however the process ends.
        command: whose units are told of.
    """

    def __init__(self, path: Path, command: str) -> None:
        super().__init__(logging.INFO)
        self._end = TOLD.get(command, "step_log")
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def emit(self, record: logging.LogRecord) -> None:
        """Counts a unit; other lines are passed over."""
        if record.name.endswith(self._end):
            os.write(self._fd, b".")


def model(path: Path, tensors: int, side: int) -> Path:
    """A checkpoint of square matrices of normal weights."""
    rng = np.random.default_rng(0)
    save_file({f"w{n:03}": rng.standard_normal((side, side), dtype=np.float32) for n in range(tensors)}, path)
    return path


def begun(words: Sequence[str], told: Path) -> int:
    """A child that runs a command; gives its process id once it begins. It says it to a file."""
    ready, tells = os.pipe()
    child = os.fork()
    if child:
        os.close(tells)
        os.read(ready, 1)
        os.close(ready)
        return child
    code = 130  # an interrupt before the command begins
    try:
        said = os.open(told.with_name("said"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for stream in range(3):
            os.dup2(said, stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logger = logging.getLogger("fourcc")
        logger.addHandler(_Teller(told, words[0]))
        logger.setLevel(logging.INFO)
        os.write(tells, b".")
        code = command_line(list(words))
    finally:
        os._exit(code)


def files_of(home: Path) -> dict[str, bytes]:
    """The files of an output, which are all that lies in its home."""
    paths = sorted(path for path in home.rglob("*") if path.is_file())
    return {str(path.relative_to(home)): path.read_bytes() for path in paths}


def finished(child: int) -> int | None:
    """The exit code of a child that is waited for; None where a signal ended it, or it ended itself for one."""
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code < 0 or code > 128 else code


def whole(words: Sequence[str], output: Path, told: Path) -> tuple[dict[str, bytes], float]:
    """The files of a run that nothing interrupts, and its seconds."""
    start = time.perf_counter()
    code = finished(begun(words, told))
    assert code == 0, told.with_name("said").read_text()
    return files_of(output.parent), time.perf_counter() - start


def lane(folder: Path, source: Path, kind: str, kills: int, seed: int) -> Counts:
    """Kills one kind of work so often; raises AssertionError where the result is another, or too much is done twice."""
    command, name, *options = WORK[kind]
    expected = folder / "expected" / name
    expected.parent.mkdir()
    words = [command, str(source), "-o", str(expected), *options, "--quiet"]
    assert command_line(words) == 0  # imports, and compiles, what the children then have
    files, longest = whole([*words, "--force"], expected, folder / "told")
    counts = Counts(units=(folder / "told").stat().st_size)
    moments, told = random.Random(seed), folder / "all"
    while counts.kills < kills:
        output = folder / f"run{counts.finished}" / name
        output.parent.mkdir()
        words = [command, str(source), "-o", str(output), *options, "--resume"]
        while not done(output.parent, files):
            killed_or_done(words, told, moments, longest, counts)
        assert files_of(output.parent) == files
        counts.finished += 1
    counts.made = told.stat().st_size
    assert counts.made <= counts.finished * counts.units + counts.kills, counts
    return counts


def done(home: Path, files: Mapping[str, bytes]) -> bool:
    """Whether all files are there, and no others: a run may be killed after its last step."""
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()} == set(files)


def killed_or_done(words: Sequence[str], told: Path, moments: random.Random, longest: float, counts: Counts) -> None:
    """One run that gets a signal at a random moment."""
    child = begun(words, told)
    counts.runs += 1
    time.sleep(moments.uniform(0, 0.6 * longest))
    os.kill(child, moments.choice(SIGNALS))
    code = finished(child)
    counts.kills += code is None
    assert code in {None, 0}, told.with_name("said").read_text()


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=WORK, help="one kind of work")
    args = parser.parse_args()
    for kind in WORK if args.only is None else [args.only]:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "source.safetensors"
            source = model(made, 64, 512) if kind in CONVERTED else EXAMPLE / "tiny.bin"
            start = time.perf_counter()
            counts = lane(Path(folder), source, kind, args.kills, args.seed)
            print(f"{kind}: {counts}, {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
