"""The long-context lane: what a context of 4096 positions adds to peak memory, beside its keys and values.

    python tests/lanes/context.py --model 1.1B --format Q4_0

Fills a short context and a long one, each in a process of its own. Exits with 1 where the difference exceeds the keys
and values by more than the bound. The short form runs with the other tests.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from fourcc.bench.models.making import write_model
from fourcc.bench.models.shapes import SHAPES, ModelShape
from fourcc.bench.models.trial import OWN, ModelTrial, run_trial

MB = 1e6
BOUND_MB = 64


def peak(path: Path, context: int, threads: int) -> int:
    """Bytes at most while a context is filled: a prompt, and one token after it."""
    return run_trial(ModelTrial(OWN, str(path), threads, context - 1, 1, 0)).peak


def measure(shape: ModelShape, tag: str, contexts: tuple[int, int], threads: int) -> tuple[int, int]:
    """Peaks of both contexts."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_model(Path(folder) / "model.bin", shape, tag, max(contexts))
        peak(path, min(contexts), threads)  # compiles what is not compiled yet
        short, long = (peak(path, context, threads) for context in contexts)
    return short, long


def main() -> int:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="1.1B", choices=SHAPES)
    parser.add_argument("--format", default="Q4_0")
    parser.add_argument("--short", type=int, default=128)
    parser.add_argument("--long", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    shape = SHAPES[args.model]
    short, long = measure(shape, args.format, (args.short, args.long), args.threads)
    cache = shape.cache_bytes(args.long) - shape.cache_bytes(args.short)
    rest = long - short - cache
    peaks = f"{short / MB:.0f} MB at {args.short} positions, {long / MB:.0f} MB at {args.long}"
    print(f"{args.model} {args.format}: peak {peaks}")
    print(f"keys and values {cache / MB:.0f} MB more, everything else {rest / MB:.0f} MB, bound {BOUND_MB} MB")
    return int(rest > BOUND_MB * MB)


if __name__ == "__main__":
    sys.exit(main())
