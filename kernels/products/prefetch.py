"""How far ahead of their use weights are prefetched, where the processor's own prefetching is late.

On Zen 4 the processor keeps up with one long stream of weights, and prefetching it by software costs a tenth of the
rate. On Intel's server cores, one stream that software does not prefetch comes at less than half of the memory's rate.
Where several activations are read beside the weights, both processors prefetch too late.
"""

from __future__ import annotations

from fourcc.kernels.simd.memory import prefetch
from fourcc.kernels.simd.target import host, host_processor

SMALL_N_DISTANCE = 2048  # bytes ahead, where several activations are read beside the weights
GEMV_DISTANCE = 8192 if host()[0] == "x86_64" and not host_processor().startswith("znver") else 0  # with one; 0: never


def prefetch_distance(columns: int) -> int:
    """Bytes ahead of their use at which weights are prefetched beside so many activations; 0: never."""
    return SMALL_N_DISTANCE if columns > 1 else GEMV_DISTANCE


def prefetch_ahead(p: int) -> None:
    """Prefetches the cache line `GEMV_DISTANCE` after p, in a stream that is read beside one activation."""
    if GEMV_DISTANCE:
        prefetch(p + GEMV_DISTANCE)
