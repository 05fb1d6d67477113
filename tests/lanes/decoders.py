"""The lane of block decoders: ones made up at random mean the same in every way to run them, bit for bit.

    python -m tests.lanes.decoders --count 10000 --compiled 1000

All are run by the instructions of their trace, by numpy arrays and, for some blocks, in plain Python; those that are
compiled, many in a kernel, by machine code as well. The short form runs with the other tests.
"""

import argparse
import sys
from collections.abc import Iterator

from tests.kernels.made_up_decoders import made_up
from tests.kernels.test_random_decoders import compiled_difference, difference, refused_elsewhere

TOGETHER = 25  # decoders of a kernel
STEPS, COMPILED_STEPS = 30, 12


def differences(first: int, count: int) -> Iterator[str]:
    """The differences among so many decoders, and lines that are not refused; empty where there is none."""
    for seed in range(first, first + count):
        decoder = made_up(seed, STEPS)
        yield difference(decoder, seed)
        if seed % 10 == 0:
            yield refused_elsewhere(decoder)


def compiled_differences(first: int, count: int) -> Iterator[str]:
    """The weights that machine code makes differently."""
    for start in range(first, first + count, TOGETHER):
        yield compiled_difference([made_up(seed, COMPILED_STEPS) for seed in range(start, start + TOGETHER)], start)


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--compiled", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    found = 0
    for lane, count in ((differences, args.count), (compiled_differences, args.compiled)):
        for said in filter(None, lane(args.first, count)):
            found += 1
            print(said)
    print(f"{args.count} decoders, {args.compiled} compiled: {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
