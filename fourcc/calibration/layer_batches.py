"""The unit of a calibration's work: one layer, run on one batch of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np
from xxhash import xxh3_128

from fourcc.calibration.collector import Collector, InputSums
from fourcc.models.window_batches import Batch

if TYPE_CHECKING:
    from fourcc.calibration.partial_file import WindowStates
    from fourcc.models.staged import StagedNetwork
    from fourcc.models.weights import Inputs

TakeSums = Callable[["Inputs", InputSums], None]


@attrs.frozen
class LayerBatch:
    """A layer and a batch of windows that it is run on.

    Attributes:
        layer: its number; the number of layers stands for the classifier.
        batch: the windows.
        passes: the inputs that are watched in each run of the layer, together those of the layer. Several runs need
            less memory for Hessians.
        hessians: first names of the inputs that Hessians are collected of.
        before: XXH3-128 of the states before the layer, in hex; None at the first layer, which has none.
    """

    layer: int
    batch: Batch
    passes: tuple[tuple[Inputs, ...], ...]
    hessians: frozenset[str]
    before: str | None = None


def run_batch(
    staged: StagedNetwork,
    states: WindowStates,
    unit: LayerBatch,
    take: TakeSums,
    report: Callable[[int], None] = lambda tokens: None,  # noqa: ARG005 - a call that does nothing
) -> str:
    """Runs a layer on a batch of windows, and keeps the states after it.

    Args:
        staged: the network.
        states: of all windows.
        unit: what is run.
        take: called with all inputs of the layer, and the sums over each.
        report: called after each window of the last pass with its number of tokens.

    Returns:
        XXH3-128 of the states after the layer, in hex; of no bytes after the classifier.

    Raises:
        InputError: an input is not finite, or the states before the layer are not those that were kept.
    """
    run = _BatchRun(staged, states, unit)
    if not unit.layer:
        run.embed()
    for number, inputs in enumerate(unit.passes, 1):
        collector = Collector(inputs, staged.threads, hessians=unit.hessians)
        for tokens in run.windows(collector):
            report(tokens if number == len(unit.passes) else 0)
        for each in inputs:
            take(each, collector.sums(each))
    return run.after


@attrs.define(eq=False)
class _BatchRun:
    """The runs of a layer on a batch of windows."""

    staged: StagedNetwork
    states: WindowStates
    unit: LayerBatch
    after: str = ""

    def windows(self, collector: Collector) -> Iterator[int]:
        """Runs the layer on each window; yields their numbers of tokens."""
        read, written = xxh3_128(), xxh3_128()
        token, layer = self.unit.batch.token, self.unit.layer
        for index, window in enumerate(self.unit.batch.windows, self.unit.batch.number):
            before = self.states.before(layer, token, len(window.tokens))
            read.update(before.view(np.uint8).data)
            observe = partial(collector.observe, index)
            if layer == self.staged.layers:
                self.staged.show_classified(before, observe)
            else:
                after = self.staged.layer(layer, before, observe=observe)
                written.update(self.states.put_after(layer, token, after))
            yield len(window.tokens)
            token += len(window.tokens)
        if self.unit.before is not None and read.hexdigest() != self.unit.before:
            raise self.states.other_states(layer)
        self.after = written.hexdigest()

    def embed(self) -> None:
        """Keeps the states before the first layer, of all windows, so that its weights need not take turns with it."""
        token = self.unit.batch.token
        for window in self.unit.batch.windows:
            self.states.put_after(-1, token, self.staged.embed(window.tokens))
            token += len(window.tokens)


def passes_of(inputs: Sequence[Inputs], hessians: frozenset[str], room: int | None) -> tuple[tuple[Inputs, ...], ...]:
    """The inputs of a layer in as few runs of it as memory allows.

    Args:
        inputs: of the layer.
        hessians: first names of those that Hessians are collected of.
        room: bytes for Hessians; one that needs more has a run of its own. None: as many as there are.
    """
    passes: list[list[Inputs]] = [[each for each in inputs if each.names[0] not in hessians]]
    for each in inputs:
        if each.names[0] not in hessians:
            continue
        some = [*passes[-1], each]
        if room is not None and hessian_bytes(some, hessians) > room and _has_hessian(passes[-1], hessians):
            passes.append([each])
        else:
            passes[-1] = some
    return tuple(map(tuple, passes))


def hessian_bytes(inputs: Sequence[Inputs], hessians: frozenset[str]) -> int:
    """Bytes that Hessians of inputs take while they are collected: sums in float64 of all, a float32 product of one."""
    cols = [each.cols for each in inputs if each.names[0] in hessians]
    return sum(8 * each**2 for each in cols) + 4 * max(cols, default=0) ** 2


def _has_hessian(inputs: Sequence[Inputs], hessians: frozenset[str]) -> bool:
    return any(each.names[0] in hessians for each in inputs)
