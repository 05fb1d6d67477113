"""How much memory a conversion takes, before it begins; `Room` is what a cap leaves for its tiles.

The peak is what the process holds already, with the libraries that it will load, and the tiles in flight of the tensor
that takes most. A tensor may hold more *beside* its tiles: a Hessian and its factor, a matrix that its source or its
export has to have whole.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.compute.coding import WORTH_LOOKING
from fourcc.conversion.tile_need import TileNeed, decoding_bytes, encoding_bytes
from fourcc.geometry import split_shape
from fourcc.plugins.registry import registry
from fourcc.resident import resident_bytes
from fourcc.threads import thread_count
from fourcc.tiles import TILE_WEIGHTS, tile_bounds

if TYPE_CHECKING:
    from fourcc.conversion.pipeline import Step
    from fourcc.conversion.plan import Plan
    from fourcc.execution import Execution
    from fourcc.tags import FourCC

MB = 10**6
RUNNING = 12 * MB  # modules that are imported on the way, and small objects
MACHINE_CODE = 64 * MB  # LLVM, which links the kernels
COMPILER = 110 * MB  # numba, and what it holds while it compiles
SLACK = 3 * MB  # for each thread: its stack, and what its arena of malloc does not give back


@attrs.frozen
class StepNeed:
    """The bytes that a tensor takes.

    Attributes:
        tile: for each tile.
        tiles: how many tiles it has.
        weights: of a tile.
        beside: for all of it.
    """

    tile: TileNeed
    tiles: int
    weights: int
    beside: int = 0

    def peak(self, threads: int) -> int:
        """The most bytes that the tensor's tiles in flight take, and what lies beside them."""
        at_once = max(1, min(threads, self.tiles, 2 * threads * TILE_WEIGHTS // max(1, self.weights)))
        waiting = min(2 * threads, self.tiles) * self.tile.waiting
        return self.beside + at_once * self.tile.working + waiting


def step_need(step: Step, beside: int = 0) -> StepNeed:
    """The bytes that a tensor of a conversion takes.

    Args:
        step: the tensor.
        beside: bytes that its export gathers.
    """
    lead, rows, cols = split_shape(step.source.shape)
    if step.copied or not prod(step.source.shape):
        return StepNeed(TileNeed(4 * MB, 0), 1, 0)
    stored, wanted = step.source.format, registry[step.decision.tag]
    first, last = next(tile_bounds(rows, cols, *([stored] if step.decision.keep else [stored, wanted])))
    tall = last - first
    read = decoding_bytes(stored, step.source.params, tall, cols)
    kept = wanted.stored_bytes((tall, cols), step.decision.params)
    made = (
        tall * cols
        if step.decision.keep
        else encoding_bytes(wanted, step.decision.params, step.decision.options, step.feedback, tall, cols)
    )
    tiles = prod(lead) * -(-rows // tall)
    return StepNeed(TileNeed(read + made, kept), tiles, tall * cols, beside + _hessian_bytes(step))


def _hessian_bytes(step: Step) -> int:
    """Bytes of a Hessian in float32, and of its factor in float64."""
    if step.feedback is None or step.aids.hessian is None:
        return 0
    cols = split_shape(step.source.shape)[2]
    return 4 * cols * cols + 2 * 8 * cols * (cols + 16)


def base_bytes(steps: Iterable[Step], threads: int) -> int:
    """Bytes that the process holds whatever its tiles take: now, and once it has loaded what it needs."""
    weights: Counter[FourCC] = Counter()
    for step in steps:
        if not step.decision.keep:
            weights[step.decision.tag] += prod(step.source.shape)
    large = any(count >= WORTH_LOOKING for count in weights.values())
    libraries = MACHINE_CODE * (large and "llvmlite" not in sys.modules)
    compiler = COMPILER * (large and "numba" not in sys.modules)
    return resident_bytes() + RUNNING + libraries + compiler + threads * SLACK


def peak_bytes(planned: Plan, how: Execution | None = None, gathered: Mapping[str, int] | None = None) -> int:
    """The most resident memory that a conversion will take, in bytes; never less than it then takes.

    What this process holds already counts: ask in the process that will do the work, once source and plan are there.
    With a cap (`how.memory`) the conversion holds fewer tiles at once, so the answer is at most the cap, unless it is
    refused: then it is what the smallest number of tiles takes.

    Args:
        planned: the conversion.
        how: threads and cap; None: as many threads as there are cores, and no cap.
        gathered: tensor -> bytes of it that an export gathers before it writes them.
    """
    threads = thread_count(None if how is None else how.threads)
    beside = gathered or {}
    needs = [step_need(step, beside.get(step.source.name, 0)) for step in planned.steps]
    base, cap = base_bytes(planned.steps, threads), None if how is None else how.memory
    free = base + max((need.peak(threads) for need in needs), default=0)
    if cap is None or free <= cap:
        return free
    return max(cap, base + max((need.peak(1) for need in needs), default=0))
