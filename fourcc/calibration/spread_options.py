"""Options of units, measured on the workers of an executor: each has the original, and reads the text with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.calibration.asked_options import asked_options, spelled_option
from fourcc.calibration.encoded_options import EncodingSetting
from fourcc.calibration.original_run import OriginalRun
from fourcc.calibration.unit_measurer import EncodedOption, UnitMeasurer
from fourcc.calibration.units import PlannedUnit
from fourcc.cluster.workers import Job, Workers
from fourcc.errors import NumericError
from fourcc.sources import open_source

if TYPE_CHECKING:
    from fourcc.feedback.feedback import Feedback
    from fourcc.models.stored_network import StoredNetwork
    from fourcc.models.windows import Window
    from fourcc.sources.source import Source

UnitOption = tuple[PlannedUnit, int]
_busy = RLock()  # of the process's measurer, which has one unit in hand


@attrs.frozen
class MeasuringRequest:
    """All that a worker needs to measure options of a model's units.

    Attributes:
        network: the original.
        windows: of the measuring text.
        vocabulary: number of tokens; further rows of the classifier are padding.
        calibration: the file; None: there is none.
        feedback: of encoders; None: none.
        weights: of all units together.
        kept_bytes: under a cap on memory, those for probabilities of the original; options are then encoded one after
            the other. None: there is no cap.
    """

    network: StoredNetwork
    windows: tuple[Window, ...]
    vocabulary: int
    calibration: str | None
    feedback: Feedback | None
    weights: int
    kept_bytes: int | None = None


@attrs.frozen
class StoredUnit:
    """A unit as any process finds it.

    Attributes:
        tensors: their names.
        roles: of the tensors.
        options: as `asked_options` takes them.
    """

    tensors: tuple[str, ...]
    roles: tuple[str, ...]
    options: tuple[str, ...]

    @classmethod
    def of(cls, unit: PlannedUnit) -> StoredUnit:
        """A planned unit, by names."""
        names = tuple(tensor.name for tensor in unit.tensors)
        return cls(names, unit.roles, tuple(map(spelled_option, unit.options)))

    def planned(self, source: Source) -> PlannedUnit:
        """The unit of an opened model."""
        tensors = tuple(source.tensor(name) for name in self.tensors)
        return PlannedUnit(tensors, self.roles, asked_options(self.options))


@attrs.frozen(eq=False)
class SpreadOptions:
    """Measures options on workers; all units are one group, so that there is work for everybody.

    Attributes:
        workers: of an executor.
        request: what each needs.
        layers: of the network.
        report: called with a unit's name when one of its options is measured.
    """

    workers: Workers
    request: MeasuringRequest
    layers: int
    report: Callable[[str], None]

    def groups(self, units: Sequence[PlannedUnit]) -> Iterable[Sequence[PlannedUnit]]:
        """All units, in the order in which the original comes to them."""
        return [sorted(units, key=lambda unit: unit.stage(self.layers))]

    def encoded(self, some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, EncodedOption | None]]:
        """Facts of encoded options, in the order in which they are known."""
        return self._results(encode_on_worker, some)

    def damages(self, some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, float]]:
        """The KL divergences of options, in the order in which they are known."""
        return self._results(run_on_worker, some)

    def refusal(self, unit: PlannedUnit) -> NumericError:
        """The error for a unit whose weights no option can hold."""
        try:
            list(self._results(refuse_on_worker, [(unit, 0)]))
        except NumericError as error:
            return error
        raise AssertionError(unit.name)  # it could not hold them before

    def _results(self, function: Callable[..., Any], some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, Any]]:
        jobs = (
            Job((unit, at), function, (self.request, StoredUnit.of(unit), at), unit.tensors[0].name)
            for unit, at in some
        )
        for (unit, at), result in self.workers.results(jobs):
            self.report(unit.name)
            yield (unit, at), result


def encode_on_worker(request: MeasuringRequest, unit: StoredUnit, at: int) -> EncodedOption | None:
    """`UnitMeasurer.encoded` of one option, in a worker."""
    with _busy:
        (found,) = _measurer(request).encoded(unit.planned(_source(request.network)), [at])
        return found


def run_on_worker(request: MeasuringRequest, unit: StoredUnit, at: int) -> float:
    """`UnitMeasurer.damage`, in a worker."""
    with _busy:
        return _measurer(request).damage(unit.planned(_source(request.network)), at)


def refuse_on_worker(request: MeasuringRequest, unit: StoredUnit, at: int) -> None:
    """Raises the NumericError of an option that cannot hold a unit's weights, in a worker."""
    with _busy:
        _measurer(request).matrices(unit.planned(_source(request.network)), at)


@lru_cache(1)
def _source(network: StoredNetwork) -> Source:
    """The original's tensors; the file stays open."""
    return open_source(network.path)


@lru_cache(1)
def _measurer(request: MeasuringRequest) -> UnitMeasurer:
    from fourcc.calibration.reading import open_calibration

    threads = request.network.threads
    setting = EncodingSetting(request.feedback, request.weights, threads)
    known = None if request.calibration is None else open_calibration(Path(request.calibration))
    aids = {} if known is None else known.aids(_source(request.network), hessian=True)
    return UnitMeasurer(lambda: _original(request), aids, setting, sparing=request.kept_bytes is not None)


def _original(request: MeasuringRequest) -> OriginalRun:
    return OriginalRun(request.network.staged, request.windows, request.vocabulary, kept_bytes=request.kept_bytes)
