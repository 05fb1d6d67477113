"""Quick measures of this machine, by which figures of another one are scaled, and the rate at which memory is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import median
from time import perf_counter

import numpy as np

from fourcc.arrays import Array
from fourcc.rates.clock import processor_clock

READ_BYTES = 64_000_000  # that are read at once; a process may have them, and few caches hold them
TRIES = 7
WEIGHTS = 1 << 18  # of the tile that the processor's yardstick codes; with another number, the shipped rates are wrong


@cache
def processor_seconds() -> float:
    """Processor time of a millisecond's work in numpy that resembles coding of blocks: the best of some tries."""
    tile = np.linspace(-3, 3, WEIGHTS, dtype=np.float32).reshape(-1, 32)  # (blocks, 32)
    best = np.inf
    for _ in range(TRIES):
        began = processor_clock()
        scale = np.abs(tile).max(axis=1, keepdims=True) / 7
        codes = np.rint(tile / scale).astype(np.int8)
        ((codes * scale - tile) ** 2).sum()
        best = min(best, processor_clock() - began)
    return float(best)


def reading_rates(threads: int) -> tuple[float, float, float]:
    """Bytes a second at which threads read memory together, by some tries.

    Returns:
        The median by the clock, which other programs slow down; the median and the best by the threads' processor time.
    """
    numbers = np.ones(READ_BYTES // 8, np.int64)
    shares = np.array_split(numbers, threads)
    clocked, rates = [], []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(TRIES + 1):
            began = perf_counter()
            rates.append(sum(pool.map(_reading_rate, shares)))
            clocked.append(numbers.nbytes / (perf_counter() - began))
    return median(clocked[1:]), median(rates[1:]), max(rates[1:])  # the first one waits for the threads


def _reading_rate(numbers: Array) -> float:
    """Bytes a second of a thread's processor time."""
    began = processor_clock()
    np.max(numbers)
    return numbers.nbytes / (processor_clock() - began)
