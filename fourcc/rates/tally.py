"""The time that tiles take, counted while a conversion works; one tally serves a whole process.

Conversions that run at the same time in one process share it: each then remembers what the tiles of both took.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from threading import Lock
from time import perf_counter

from fourcc.compute.coding import WORTH_COMPILING
from fourcc.rates.clock import processor_clock
from fourcc.rates.remembered import remember
from fourcc.rates.sample import Sample

LEAST_TILE = 1 << 15  # weights of a tile that counts: in a smaller one Python's own time shows
LEAST_TILES = 8  # that a conversion remembers a rate of
MOST_TILES = 256  # the last ones, in which kernels are compiled

_spent: dict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=MOST_TILES))
_lock = Lock()


@contextmanager
def timed(kind: str, weights: int, whole: int) -> Iterator[None]:
    """Counts the time of a tile.

    Args:
        kind: of the work: ``encode Q4_K``.
        weights: of the tile.
        whole: weights of the whole work of this kind. Small work is done uncompiled, at rates that tell nothing of
            large work.
    """
    began, passed = processor_clock(), perf_counter()
    yield
    if weights < LEAST_TILE or whole < WORTH_COMPILING:
        return
    spent = (processor_clock() - began) / weights, (perf_counter() - passed) / weights
    with _lock:
        _spent[kind].append(spent)


def tallied(threads: int) -> dict[str, Sample]:
    """A sample of each kind of work that was done often enough; the tally is then empty."""
    with _lock:
        kinds = {kind: list(tiles) for kind, tiles in _spent.items() if len(tiles) >= LEAST_TILES}
        _spent.clear()
    return {
        kind: Sample(
            max(1e-12, median(cpu for cpu, _ in tiles)), max(1e-12, median(wall for _, wall in tiles)), threads
        )
        for kind, tiles in kinds.items()
    }


def remember_tallied(threads: int) -> None:
    """Remembers the rates of a conversion that is finished, for later forecasts; never an error."""
    samples = tallied(threads)
    if samples and os.environ.get("NUMBA_DISABLE_JIT", "0") in {"", "0"}:
        remember(samples)
