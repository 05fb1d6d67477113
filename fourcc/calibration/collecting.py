"""Collecting statistics of a model's inputs: all windows of a text go through the network together, layer by layer.

The unit of work is one layer on one batch of windows (`fourcc.calibration.layer_batches`). Sums of a batch are made by
themselves, and added to those of the batches before it in the order of the text, so that nobody can see in the file who
ran which batch, or how often the work was interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs

from fourcc.calibration.collecting_plan import CollectingPlan, Work
from fourcc.calibration.collector import InputSums, merged
from fourcc.calibration.layer_batches import LayerBatch, TakeSums, run_batch
from fourcc.calibration.partial_file import CalibrationFile, WindowStates
from fourcc.errors import InputError
from fourcc.execution import Execution
from fourcc.files.part_file import completed
from fourcc.files.write import check_space
from fourcc.models.staged import StagedNetwork
from fourcc.progress import counter

if TYPE_CHECKING:
    from fourcc.models.stored_network import WorkElsewhere
    from fourcc.models.transformer import Transformer
    from fourcc.models.weights import Inputs
    from fourcc.models.weights_in_turn import NetworkInTurn


_log = logging.getLogger(__name__)


class RunsBatches(Protocol):
    """Runs units of work, here or elsewhere."""

    def __call__(self, units: Iterable[LayerBatch], take: TakeSums) -> Iterator[str]:
        """Runs units one after the other, or some at once.

        Args:
            units: in order; the next one is asked for when the result of the one that lies a layer back is known.
            take: called with the sums over all inputs of the layer, unit after unit.

        Yields:
            What `run_batch` returns, unit after unit.
        """


@attrs.frozen
class Collected:
    """Says how far the work had come before.

    Attributes:
        layers: that were done before.
        batches: of the next layer that were done before.
    """

    layers: int = 0
    batches: int = 0


def collect(
    network: Transformer | NetworkInTurn,
    work: Work,
    target: Path,
    how: Execution | None = None,
    spread: WorkElsewhere | None = None,
    room: Callable[[CollectingPlan], int] | None = None,
) -> Collected:
    """Collects statistics, and writes the calibration.

    Memory holds the states of one window, and of one layer the sums of a batch of windows; with Hessians 8 bytes for
    each pair of columns of its matrices, and 4 for each of the widest.

    Args:
        network: the model.
        work: what to collect.
        target: the path from `check_target`.
        how: whether to go on where such work was interrupted; whom to tell how many tokens times layers are done.
        spread: what the workers of the executor need to know; without an executor it is not looked at.
        room: gives the bytes that Hessians may take; None: as many as they need.

    Raises:
        InputError: an activation is not finite, or unfinished work is damaged.
        UsageError: a calibration that is merged has other matrices; or there is unfinished work, and it is another one,
            or nothing says what to do with it.
        OutputError: the file cannot be written.
    """
    how = how or Execution()
    staged = StagedNetwork(network)
    plan = CollectingPlan.of(staged, work)
    if how.resume and completed(target, plan.facts()) is not None:
        return Collected(len(plan.layers))
    free = None if room is None else room(plan)
    check_space(target, plan.nbytes)
    with CalibrationFile(target, plan.facts(), plan.layout.nbytes, how) as out:
        run = _Run(plan, out)
        report = partial(run.told, counter(plan.shape[0] * len(plan.layers) - run.tokens_done, how.progress))
        with ExitStack() as stack:
            if how.executor is None or spread is None:
                runs: RunsBatches = partial(_here, staged, plan.states(out.file), report)
            else:
                from fourcc.calibration.spread_batches import SpreadBatches, StatesPlace
                from fourcc.cluster.workers import Workers

                workers = stack.enter_context(Workers(how.executor, spread.conditions))
                at_once = min(workers.slots, len(plan.batches))
                assert spread.conditions.marker is not None
                place = StatesPlace(str(out.path), plan.layout.nbytes, plan.shape, spread.conditions.marker.path)
                runs = SpreadBatches(workers, at_once, spread.networks[0], place, report)
            done = run.carry_out(runs, free)
        out.file.write_at(*plan.layout.checksums(out.file.read_at))
    return done


def _here(
    staged: StagedNetwork,
    states: WindowStates,
    report: Callable[[LayerBatch, int], None],
    units: Iterable[LayerBatch],
    take: TakeSums,
) -> Iterator[str]:
    """Runs units of work in this process."""
    for unit in units:
        yield run_batch(staged, states, unit, take, partial(report, unit))


class _Run:
    """The run over all units.

    Args:
        plan: of the work.
        out: the file.
    """

    def __init__(self, plan: CollectingPlan, out: CalibrationFile) -> None:
        self._plan, self._out, self._file = plan, out, out.file
        self._next = 0
        while self._next < plan.units and plan.key(self._next) in out.done:
            self._next += 1
        self._refuse_damage()
        self._digests: list[str] = []

    @property
    def tokens_done(self) -> int:
        """Tokens times layers that were done before."""
        layer, batch = divmod(self._next, len(self._plan.batches))
        return layer * self._plan.shape[0] + sum(each.tokens for each in self._plan.batches[:batch])

    def told(self, report: Callable[[str, int], None], unit: LayerBatch, tokens: int) -> None:
        """Reports tokens of a unit."""
        report(self._plan.stage(unit.layer), tokens)

    def carry_out(self, runs: RunsBatches, room: int | None) -> Collected:
        """Runs all units that are not yet done."""
        plan, done = self._plan, Collected(*divmod(self._next, len(self._plan.batches)))
        if not self._next:
            self._file.write_at(0, plan.layout.head)
        units = (plan.unit(index, self._out.done, room) for index in range(self._next, plan.units))
        for states in runs(units, self._take):
            self._finish(states)
        return done

    def _take(self, inputs: Inputs, sums: InputSums) -> None:
        """Adds the sums of the unit that is next to those of the batches before it."""
        layer, batch = divmod(self._next, len(self._plan.batches))
        stored = self._plan.sums(self._file, layer)
        if batch:
            stored.add((self._next - 1) % 2, inputs, sums)
        if batch + 1 == len(self._plan.batches):
            self._write(inputs, sums)
        else:
            self._digests.append(stored.put(self._next % 2, inputs, sums))

    def _write(self, inputs: Inputs, sums: InputSums) -> None:
        """Writes the statistics of a layer that is done."""
        statistics, hessian = sums.statistics, sums.hessian
        if self._plan.work.merged is not None:
            statistics, hessian = merged(self._plan.work.merged, inputs, statistics, hessian)
        for offset, data in self._plan.layout.pieces(inputs, statistics, hessian):
            self._file.write_at(offset, data)

    def _finish(self, states: str) -> None:
        """Notes that the next unit is done; what a layer leaves is flushed before."""
        if self._next % len(self._plan.batches) + 1 == len(self._plan.batches):
            self._file.flush()
        _log.info("%s is done", self._plan.key(self._next))
        self._out.add(self._plan.key(self._next), {"states": states, "sums": self._digests})
        self._next, self._digests = self._next + 1, []

    def _refuse_damage(self) -> None:
        """Refuses sums that are not those that were kept. Raises InputError."""
        layer, batch = divmod(self._next, len(self._plan.batches))
        if not batch:
            return
        kept = self._out.done[self._plan.key(self._next - 1)]["sums"]
        stored = self._plan.sums(self._file, layer)
        inputs = self._plan.layers[layer]
        found = [stored.digest((self._next - 1) % 2, each, self._plan.hessians) for each in inputs]
        if sorted(found) != sorted(kept):
            what, hint = f"the sums of layer {layer} are not those that were kept", "--force begins anew."
            raise InputError(what, file=self._out.path, hint=hint)
