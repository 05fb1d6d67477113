"""The large-model lane: converts a synthetic safetensors file of many GiB and prints peak memory and rate.

    python tests/lanes/large.py --gib 6 --format Q8_0

Exits with 1 where the peak resident set is not under the bound. The short form runs with the other tests.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

GIB = 1 << 30
BOUND_MB = 700
ROWS, COLS = 16384, 4096  # 256 MiB of float32 a tensor
CONVERT = """
import sys
from fourcc.resident import peak_resident_bytes
from fourcc.cli.app import main
code = main(sys.argv[1:])
print(peak_resident_bytes(), file=sys.stderr)
sys.exit(code)
"""
PATTERN_ROWS = 1024  # random rows, repeated: writing is then as fast as the disk


def write_model(path: Path, gib: float) -> int:
    """Writes float32 tensors of `ROWS` x `COLS`, at least `gib` GiB in all; returns the file's length."""
    nbytes = ROWS * COLS * 4
    count = max(1, round(gib * GIB / nbytes))
    header = {
        f"layer.{k}.weight": {"dtype": "F32", "shape": [ROWS, COLS], "data_offsets": [k * nbytes, (k + 1) * nbytes]}
        for k in range(count)
    }
    text = json.dumps(header).encode()
    rows = np.random.default_rng(0).standard_normal((PATTERN_ROWS, COLS), np.float32).tobytes()
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _ in range(count * ROWS // PATTERN_ROWS):
            out.write(rows)
    return path.stat().st_size


def measure(folder: Path, gib: float, tag: str, threads: int | None) -> tuple[float, float, int]:
    """Peak resident set in MB, seconds, and bytes of the source, of one conversion in a process of its own."""
    source, output = folder / "model.safetensors", folder / "model.bin"
    nbytes = write_model(source, gib)
    command = [sys.executable, "-c", CONVERT, "convert", source, "-o", output, "--format", tag, "-q"]
    command += ["--threads", str(threads)] if threads else []
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stderr.split()[-1]) / 1e6, time.perf_counter() - start, nbytes


def main() -> int:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=6)
    parser.add_argument("--format", default="Q8_0")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dir", type=Path, help="where there is room for source and output")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        peak, seconds, nbytes = measure(Path(folder), args.gib, args.format, args.threads)
    rate = nbytes / seconds / 1e6
    cores = len(os.sched_getaffinity(0))
    print(f"{nbytes / GIB:.2f} GiB of float32 to {args.format} on {cores} cores: {seconds:.1f} s, {rate:.0f} MB/s")
    print(f"peak resident set {peak:.0f} MB, bound {BOUND_MB} MB")
    return int(peak >= BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
