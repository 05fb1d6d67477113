"""A calibration's units of work on the workers of an executor; their sums are added in order by whoever hands out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.layer_batches import LayerBatch, TakeSums, run_batch
from fourcc.calibration.partial_file import OffsetFile, WindowStates
from fourcc.cluster.workers import Job, Workers

if TYPE_CHECKING:
    from fourcc.calibration.collector import InputSums
    from fourcc.models.stored_network import StoredNetwork
    from fourcc.models.weights import Inputs


@attrs.frozen
class StatesPlace:
    """The place of the states of all windows, as any process finds it.

    Attributes:
        path: of the file.
        offset: of the first slot.
        shape: tokens of all windows, and columns of a state.
        marker: a file that is there as long as the work lasts: a task of a lost worker may outlive it.
    """

    path: str
    offset: int
    shape: tuple[int, int]
    marker: str


@attrs.frozen
class BatchResult:
    """The result of a unit of work.

    Attributes:
        states: what `run_batch` returns.
        sums: over all inputs of the layer.
    """

    states: str
    sums: tuple[tuple[Inputs, InputSums], ...]


def run_on_worker(network: StoredNetwork, place: StatesPlace, unit: LayerBatch) -> BatchResult:
    """Runs a unit of work in a worker, which has the file of states open only meanwhile. Raises as `run_batch`."""
    sums: list[tuple[Inputs, InputSums]] = []
    with OffsetFile.at(Path(place.path), Path(place.marker)) as file:
        states = WindowStates(file, place.offset, place.shape)
        after = run_batch(network.staged, states, unit, lambda inputs, some: sums.append((inputs, some)))
        file.flush()
    return BatchResult(after, tuple(sums))


@attrs.frozen(eq=False)
class SpreadBatches:
    """Runs units of work on workers, no more at once than there are slots, so that few are lost where it is ended.

    Attributes:
        workers: of an executor.
        at_once: units that run at once, at most the batches of a layer: a unit needs that of the layer before.
        network: that each worker opens.
        place: of the states.
        report: called with a unit that is done and its number of tokens.
    """

    workers: Workers
    at_once: int
    network: StoredNetwork
    place: StatesPlace
    report: Callable[[LayerBatch, int], None]

    def __call__(self, units: Iterable[LayerBatch], take: TakeSums) -> Iterator[str]:
        """Runs units as `fourcc.calibration.collecting.RunsBatches` has it."""
        ready = _ReadyUnits(iter(units), self._job, self.at_once)
        waiting: dict[int, tuple[LayerBatch, BatchResult]] = {}
        for (number, unit), result in self.workers.results(ready):
            waiting[number] = unit, result
            while ready.taken in waiting:
                unit_taken, mine = waiting.pop(ready.taken)
                for inputs, sums in mine.sums:
                    take(inputs, sums)
                self.report(unit_taken, unit_taken.batch.tokens)
                yield mine.states
                ready.taken += 1

    def _job(self, number: int, unit: LayerBatch) -> Job[tuple[int, LayerBatch]]:
        return Job((number, unit), run_on_worker, (self.network, self.place, unit))


class _ReadyUnits:
    """Gives the units that can be handed out now; when more results are taken it has further ones.

    Args:
        units: in order.
        job: makes a job of a unit and its number.
        at_once: units that are handed out and not yet taken, at most.

    Attributes:
        taken: number of units whose results are taken.
    """

    def __init__(
        self,
        units: Iterator[LayerBatch],
        job: Callable[[int, LayerBatch], Job[tuple[int, LayerBatch]]],
        at_once: int,
    ) -> None:
        self._units, self._job, self._at_once = units, job, at_once
        self._handed = self.taken = 0

    def __iter__(self) -> Iterator[Job[tuple[int, LayerBatch]]]:
        return self

    def __next__(self) -> Job[tuple[int, LayerBatch]]:
        if self._handed >= self.taken + self._at_once:
            raise StopIteration
        unit = next(self._units)
        self._handed += 1
        return self._job(self._handed - 1, unit)
