"""Quick measures of this machine, by which figures of another one are scaled, and the rate at which memory is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import median
from time import perf_counter, thread_time

import numpy as np

READ_BYTES = 64_000_000  # that are read at once; a process may have them, and few caches hold them
TRIES = 7
WEIGHTS = 1 << 18  # of the tile that the processor's yardstick codes


@cache
def processor_seconds() -> float:
    """Processor time of a millisecond's work in numpy that resembles coding of blocks: the best of some tries."""
    tile = np.linspace(-3, 3, WEIGHTS, dtype=np.float32).reshape(-1, 32)  # (blocks, 32)
    best = np.inf
    for _ in range(TRIES):
        began = thread_time()
        scale = np.abs(tile).max(axis=1, keepdims=True) / 7
        codes = np.rint(tile / scale).astype(np.int8)
        ((codes * scale - tile) ** 2).sum()
        best = min(best, thread_time() - began)
    return float(best)


def reading_rates(threads: int) -> tuple[float, float, float]:
    """Bytes a second at which threads read memory together: the slowest, the median and the fastest of some tries."""
    numbers = np.ones(READ_BYTES // 8, np.int64)
    shares = np.array_split(numbers, threads)
    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(TRIES + 1):
            began = perf_counter()
            list(pool.map(np.max, shares))
            rates.append(numbers.nbytes / (perf_counter() - began))
    tried = sorted(rates[1:])  # the first one waits for the threads
    return tried[0], median(tried), tried[-1]
