"""The large-model lane: converts a synthetic safetensors file of many GiB and prints peak memory and rate.

    python tests/lanes/large.py --gib 6 --format Q8_0
    python tests/lanes/large.py --gib 6 --memory 500MB --threads 1,2,8
    python tests/lanes/large.py --gib 6 --memory 500MB --mixed
    python tests/lanes/large.py --gib 0.125 --memory 500MB --feedback
    python tests/lanes/large.py --embedding --memory 500MB

Exits with 1 where the peak resident set is above the cap, or above the bound where there is none. ``--mixed`` gives the
tensors formats in turn, ``--feedback`` makes a calibration with a Hessian for each two of them, ``--embedding``
converts one of 262,144 x 8,192 in BF16. The short form runs with the other tests.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs
import numpy as np

GIB = 1 << 30
BOUND_MB = 700
ROWS, COLS = 16384, 4096  # 256 MiB of float32 a tensor
FED_ROWS = 1024  # with error feedback, which takes long: its memory is that of the Hessians
EMBEDDING = (262144, 8192)
TOKENS = 256  # that Hessians are made of
MIXED = ("Q8_0", "Q4_K", "Q8_A", "NF4", "Q6_K", "NV4T", "F8_G", "BF16")
CONVERT = """
import sys
from fourcc.resident import peak_resident_bytes
from fourcc.cli.app import main
code = main(sys.argv[1:])
print(peak_resident_bytes(), file=sys.stderr)
sys.exit(code)
"""
PATTERN_ROWS = 1024  # random rows, repeated: writing is then as fast as the disk


@attrs.frozen
class Asked:
    """The conversion to measure: the format, and options of the command."""

    tag: str = "Q8_0"
    threads: int | None = None
    memory: str | None = None
    mixed: bool = False
    feedback: bool = False

    def options(self, folder: Path) -> list[str | Path]:
        """The words of the command, with what they name made in the folder."""
        words: list[str | Path] = ["--policy", write_policy(folder)] if self.mixed else ["--format", self.tag]
        if self.feedback:
            words += ["--feedback", "gptq", "--calibration", write_calibration(folder)]
        words += ["--threads", str(self.threads)] if self.threads else []
        return words + (["--memory", self.memory] if self.memory else [])


def write_model(path: Path, gib: float, height: int = ROWS) -> int:
    """Writes float32 tensors of `height` x `COLS`, at least `gib` GiB in all; returns the file's length."""
    count = max(1, round(gib * GIB / (height * COLS * 4)))
    rows = np.random.default_rng(0).standard_normal((PATTERN_ROWS, COLS), np.float32)
    return _write(path, {f"layer.{k}.weight": (height, COLS) for k in range(count)}, "F32", rows)


def write_embedding(path: Path) -> int:
    """Writes an embedding of BF16; returns the file's length."""
    rows = np.random.default_rng(0).standard_normal((PATTERN_ROWS, EMBEDDING[1]), np.float32)
    return _write(path, {"model.embed_tokens.weight": EMBEDDING}, "BF16", (rows.view("<u4") >> 16).astype("<u2"))


def _write(path: Path, shapes: dict[str, tuple[int, int]], dtype: str, pattern: np.ndarray) -> int:
    """Writes tensors whose rows are those of the pattern, again and again; returns the file's length."""
    header, end = {}, 0
    for name, (rows, cols) in shapes.items():
        begin, end = end, end + rows * cols * pattern.itemsize
        header[name] = {"dtype": dtype, "shape": [rows, cols], "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _ in range(end // pattern.nbytes):
            out.write(pattern.data)
    return path.stat().st_size


def write_policy(folder: Path) -> Path:
    """A policy that gives the tensors formats in turn; there may be fewer than it has rules."""
    rules = [
        f'[[rule]]\nmatch = "layer.{k}.weight"\ntag = "{MIXED[k % len(MIXED)]}"\noptional = true\n' for k in range(64)
    ]
    path = folder / "mixed.toml"
    path.write_text("version = 1\n" + "".join(rules))
    return path


def write_calibration(folder: Path) -> Path:
    """A calibration of the model in the folder: two tensors share inputs, which are made up."""
    from fourcc.calibration.layout import About, lay_out
    from fourcc.calibration.model_digest import model_digest
    from fourcc.calibration.statistics import InputStatistics
    from fourcc.models.weights import Inputs
    from fourcc.sources import open_source

    path = folder / "model.calib"
    with open_source(folder / "model.safetensors") as source:
        names, digest = [tensor.name for tensor in source.tensors], model_digest(source)
    inputs = [Inputs(tuple(names[k : k + 2]), COLS) for k in range(0, len(names), 2)]
    layout = lay_out(About(digest, (), TOKENS, TOKENS), inputs, frozenset(names))
    with path.open("w+b") as out:
        out.write(layout.head)
        for number, each in enumerate(inputs):
            x = np.random.default_rng(number).standard_normal((TOKENS, COLS), np.float32)
            statistics = InputStatistics.empty(COLS)
            statistics.add(x)
            for offset, data in layout.pieces(each, statistics, x.T @ x / np.float32(TOKENS)):
                out.seek(offset)
                out.write(data)

        def read(offset: int, count: int) -> bytes:
            out.seek(offset)
            return out.read(count)

        offset, data = layout.checksums(read)
        out.seek(offset)
        out.write(data)
        out.truncate(layout.nbytes)
    return path


def measure(folder: Path, asked: Asked) -> tuple[float, float]:
    """Peak resident set in MB, and seconds, of one conversion of the folder's model in a process of its own."""
    source, output = folder / "model.safetensors", folder / "model.bin"
    command = [sys.executable, "-c", CONVERT, "convert", source, "-o", output, "-q", "--force", *asked.options(folder)]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return int(done.stderr.split()[-1]) / 1e6, time.perf_counter() - start


def bound_mb(memory: str | None) -> float:
    """Megabytes that the peak must not exceed: the cap, where there is one."""
    from fourcc.policy.amounts import memory_cap

    return BOUND_MB if memory is None else (memory_cap(memory) or 0) / 1e6


def main() -> int:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=6)
    parser.add_argument("--format", default="Q8_0")
    parser.add_argument("--threads", help="numbers, with commas between")
    parser.add_argument("--memory")
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--feedback", action="store_true")
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--dir", type=Path, help="where there is room for source and output")
    args = parser.parse_args()
    bound, over = bound_mb(args.memory), 0
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        path = Path(folder, "model.safetensors")
        nbytes = (
            write_embedding(path)
            if args.embedding
            else write_model(path, args.gib, FED_ROWS if args.feedback else ROWS)
        )
        for threads in [int(each) for each in args.threads.split(",")] if args.threads else [None]:
            asked = Asked(args.format, threads, args.memory, args.mixed, args.feedback)
            peak, seconds = measure(Path(folder), asked)
            over += peak > bound
            print(_line(asked, nbytes, seconds), f"peak resident set {peak:.0f} MB, bound {bound:.0f} MB", flush=True)
    return int(over > 0)


def _line(asked: Asked, nbytes: int, seconds: float) -> str:
    """The conversion, and how fast it was."""
    formats = "mixed formats" if asked.mixed else asked.tag
    threads = f"{asked.threads or 'all'} threads, {len(os.sched_getaffinity(0))} cores"
    fed = " with error feedback" * asked.feedback
    return f"{nbytes / GIB:.2f} GiB to {formats}{fed}, {threads}: {seconds:.1f} s, {nbytes / seconds / 1e6:.0f} MB/s;"


if __name__ == "__main__":
    sys.exit(main())
