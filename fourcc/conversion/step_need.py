"""How much memory a conversion takes, before it begins, tensor by tensor.

The peak is what the process holds already, with the libraries that it will load, and the tiles in flight of the tensor
that takes most. A tensor may hold more *beside* its tiles: the factor of a Hessian, a matrix that its source or its
export has to have whole.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.compute import coding, error_feedback
from fourcc.conversion.tile_need import TileNeed, decoding_bytes, encoding_bytes
from fourcc.feedback.factors import KEPT
from fourcc.files.mapped import RUN
from fourcc.geometry import split_shape
from fourcc.plugins.registry import registry
from fourcc.resident import resident_bytes
from fourcc.tiles import TILE_WEIGHTS, tile_bounds

if TYPE_CHECKING:
    from fourcc.conversion.step import Step
    from fourcc.policy import Decision
    from fourcc.tags import FourCC

MB = 10**6
RUNNING = 12 * MB  # modules that are imported on the way, and small objects
MACHINE_CODE = 64 * MB  # LLVM, which links the kernels
COMPILER = 110 * MB  # numba, and what it holds while it compiles
THREAD = 3 * MB  # its stack, and what its arena of malloc does not give back
COPYING = 4 * MB  # of a tensor that is copied run by run


@attrs.frozen
class StepNeed:
    """The bytes that a tensor takes.

    Attributes:
        name: of the tensor.
        tile: for each of its tiles.
        tiles: how many it has.
        weights: of a tile.
        beside: for all of them together.
        fed: whether the part of `beside` that error feedback takes is more than nothing.
    """

    name: str
    tile: TileNeed
    tiles: int
    weights: int
    beside: int = 0
    fed: bool = False

    @property
    def least(self) -> int:
        """The bytes with one tile at a time."""
        return self.beside + self.tile.working + self.tile.waiting

    def usual(self, threads: int) -> int:
        """The most bytes with as many tiles in flight as threads, and their order, allow."""
        flying = max(1, min(self.tiles, 4 * threads + 1, 2 * threads * TILE_WEIGHTS // max(1, self.weights)))
        return self.beside + min(threads, flying) * self.tile.working + (flying + 1) * self.tile.waiting


def step_needs(steps: Sequence[Step], gathered: Mapping[str, int]) -> tuple[StepNeed, ...]:
    """The bytes that each tensor of a conversion takes.

    Args:
        steps: the tensors.
        gathered: tensor -> bytes of it that an export gathers before it writes them.
    """
    wholes = encoded_weights(steps)
    return tuple(
        _step_need(step, gathered.get(step.source.name, 0), wholes[step.decision.tag])
        if prod(step.source.shape) and not step.copied
        else StepNeed(step.source.name, TileNeed(COPYING, 0), 1, 0)
        for step in steps
    )


def _step_need(step: Step, gathered: int, whole: int) -> StepNeed:
    """The bytes for a tensor that is read tile by tile; `whole`: the weights that its format encodes in all."""
    source, decision = step.source, step.decision
    lead, rows, cols = split_shape(source.shape)
    stored, wanted = source.format, registry[decision.tag]
    first, last = next(tile_bounds(rows, cols, *([stored] if decision.keep else [stored, wanted])))
    tall = last - first
    working = decoding_bytes(stored, source.params, tall, cols)
    if not decision.keep:
        encoding = encoding_bytes(wanted, decision.params, decision.options, step.feedback, tall, cols)
        working = max(working, stored.stored_bytes((tall, cols), source.params) + encoding)
    working += source.gathered
    result = wanted.stored_bytes((tall, cols), decision.params)
    beside = gathered + source.gathered + _feedback_bytes(step, whole)
    tiles = prod(lead) * -(-rows // tall)
    return StepNeed(
        source.name, TileNeed(working, result), tiles, tall * cols, beside, _feedback_bytes(step, whole) > 0
    )


def _feedback_bytes(step: Step, whole: int) -> int:
    """The bytes of a factor in float64, and of what is held while it is made."""
    if step.feedback is None or step.aids.hessian is None:
        return 0
    cols, fmt = split_shape(step.source.shape)[2], registry[step.decision.tag]
    square = cols * cols
    factor = 8 * (cols + 16) * (cols + 8)
    copied = 8 * square * (whole < coding.WORTH_COMPILING)  # numpy's factorization has an array more
    turned = 0 if fmt.turn is None else factor + 16 * square  # the Gram matrix, and the Hessian on its way
    seen = 4 * square * ("hessian" in fmt.sees)
    stack = KEPT * factor * (step.aids.hessian.ndim > 2)  # one for each matrix
    return factor + copied + turned + seen + stack + 4 * RUN


def encoded_weights(steps: Iterable[Step]) -> Counter[FourCC]:
    """The number of weights that each format has to encode."""
    weights: Counter[FourCC] = Counter()
    for step in steps:
        weights[step.decision.tag] += 0 if step.decision.keep else prod(step.source.shape)
    return weights


def base_bytes(steps: Sequence[Step], threads: int) -> int:
    """Bytes that the process holds whatever its tiles take: now, and once it has loaded what it will need."""
    wholes = encoded_weights(steps)
    large = [step for step in steps if _coded_weights(step, wholes) >= coding.WORTH_LOOKING]
    compiling = COMPILER * (bool(large) and not all(map(_ready, _each_once(large))))  # looking may load LLVM
    linking = MACHINE_CODE * (bool(large) and "llvmlite" not in sys.modules)
    return resident_bytes() + RUNNING + linking + compiling + threads * THREAD


def _coded_weights(step: Step, wholes: Mapping[FourCC, int]) -> int:
    """The size of the work for which compiled code is looked for; 0: none. Real weights that are kept are decoded."""
    if not step.decision.keep:
        return wholes[step.decision.tag]
    searched = step.source.format.real and not (step.copied or step.decision.nonfinite)
    return prod(step.source.shape) if searched else 0


def _each_once(steps: Iterable[Step]) -> Iterable[Step]:
    """One tensor for each way to read and to encode."""
    return {
        (each.source.tag, str(each.source.params), *_settings(each.decision), each.feedback): each for each in steps
    }.values()


def _settings(decision: Decision) -> tuple[object, ...]:
    return decision.tag, str(decision.params), str(decision.options)


def _ready(step: Step) -> bool:
    """Whether a tensor is encoded without a kernel that has to be compiled first."""
    source, decision = step.source, step.decision
    read = coding.ready(source.format, source.params)
    made = decision.keep or coding.ready(registry[decision.tag], decision.params, decision.options)
    return read and made and (step.feedback is None or error_feedback.ready())
