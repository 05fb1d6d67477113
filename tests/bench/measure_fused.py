"""Measures fused products against those of the same weights decoded first, turn by turn in one process.

Run it with ``python -m tests.bench.measure_fused [TAG ...] [--shape 4096x4096] [-n 1,32,512] [--threads 1,2]``; without
tags it measures the six formats of `tests/plugins/fourcc-six`. A tag may also name an installed format.
"""

import argparse
import sys
import time

import numpy as np

from fourcc.bench.matrices import weights
from fourcc.encoding import encode
from fourcc.format import Aids
from fourcc.testing.fused_rates import fused_rates
from tests.core.fakes import installed
from tests.plugins.measure_six import NAMES, load

SIX = [load(name) for name in NAMES]


def numbers(text: str) -> list[int]:
    """Numbers between commas."""
    return [int(each) for each in text.split(",")]


def main() -> None:
    """Prints a line for each format, number of activations and of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tags", nargs="*", default=[str(each.tag) for each in SIX])
    parser.add_argument("--shape", default="4096x4096")
    parser.add_argument("-n", default="1,32,512")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--turns", type=int, default=9)
    given = parser.parse_args()
    rows, cols = (int(each) for each in given.shape.split("x"))
    sys.stdout.write("format  unit    n  threads  fused ms  decoded ms  times faster\n")
    with installed(*SIX):
        for tag in given.tags:
            matrix = encode(weights(rows, cols), tag, aids=Aids(importance=np.ones(cols, np.float32)))
            start = time.perf_counter()
            matrix.matmul(weights(1, cols))
            first = time.perf_counter() - start
            for threads in numbers(given.threads):
                for rate in fused_rates(matrix, numbers(given.n), threads, given.turns):
                    times = f"{rate.fused * 1e3:8.2f}  {rate.decoded * 1e3:10.2f}  {1 / rate.ratio:12.2f}"
                    told = f"{tag:6} {matrix.packed.kernel.unit:5} {rate.count:4}  {threads:7}  {times}\n"
                    sys.stdout.write(told)
            sys.stdout.write(f"{tag:6} first product: {first:.1f} s\n")


if __name__ == "__main__":
    main()
