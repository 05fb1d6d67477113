"""Measures the costs of every option: encodes, runs the changed network, and predicts what is not measured.

One option of each unit is measured: the network runs with the unit in it, from the unit's layer on, and its KL
divergence from the original is taken. That of the other options is scaled from it by the output error: on matrices of
one network the two are proportional. An embedding has each option measured, since output errors say nothing of a
look-up whose errors every layer sees.

Each option that is encoded, and each that is run, is noted as soon as it is done, so that no more than one of them is
lost when the process ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fourcc.calibration.asked_options import spelled_option
from fourcc.calibration.costs import MEASURED_BITS, Option, Unit, by_size
from fourcc.calibration.unit_measurer import EncodedOption, UnitMeasurer
from fourcc.errors import NumericError

if TYPE_CHECKING:
    from fourcc.calibration.product_timer import ProductTimer
    from fourcc.calibration.units import PlannedUnit

_log = logging.getLogger(__name__)
UnitOption = tuple["PlannedUnit", int]  # a unit, and the index of one of its options
EncodedOptions = Mapping[int, EncodedOption]  # by index; those that cannot hold the weights are left out


class Notes(Protocol):
    """Keeps the results of steps that are done, such as a `fourcc.files.journal.Journal`."""

    @property
    def done(self) -> Mapping[str, Mapping[str, Any]]:
        """The record of each step, by its key."""

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Notes a step."""


@attrs.define
class NotesInMemory:
    """Notes that nobody keeps."""

    done: dict[str, Mapping[str, Any]] = attrs.field(factory=dict)

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Notes a step."""
        self.done[key] = record


class MeasuresOptions(Protocol):
    """Measures options of units, here or elsewhere."""

    def groups(self, units: Sequence[PlannedUnit]) -> Iterable[Sequence[PlannedUnit]]:
        """The units in the order in which they are best measured, in groups that are measured at once."""

    def encoded(self, some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, EncodedOption | None]]:
        """Facts of each encoded option, in any order; None for one that cannot hold the weights."""

    def damages(self, some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, float]]:
        """The KL divergence of each option, in any order."""

    def refusal(self, unit: PlannedUnit) -> NumericError:
        """The error for a unit whose weights no option can hold."""


@attrs.frozen(eq=False)
class MeasuredHere:
    """Measures options in this process, unit after unit.

    Attributes:
        measurer: does it.
        layers: of the network.
        begun: called with a unit's name before it.
    """

    measurer: UnitMeasurer
    layers: int
    begun: Callable[[str], None]

    def groups(self, units: Sequence[PlannedUnit]) -> Iterable[Sequence[PlannedUnit]]:
        """One unit after the other, in the order of the layers."""
        for unit in sorted(units, key=lambda unit: unit.stage(self.layers)):
            self.begun(unit.name)
            yield [unit]

    def encoded(self, some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, EncodedOption | None]]:
        """Facts of encoded options, all of one unit."""
        if some:
            yield from zip(some, self.measurer.encoded(some[0][0], [at for _, at in some]), strict=True)

    def damages(self, some: Sequence[UnitOption]) -> Iterator[tuple[UnitOption, float]]:
        """The KL divergences of options."""
        for unit, at in some:
            yield (unit, at), self.measurer.damage(unit, at)

    def refusal(self, unit: PlannedUnit) -> NumericError:
        """The error for a unit whose weights no option can hold."""
        try:
            self.measurer.matrices(unit, 0)
        except NumericError as error:
            return error
        raise AssertionError(unit.name)  # it could not hold them before


@attrs.frozen(eq=False)
class Measuring:
    """The measurement of a model's units.

    Attributes:
        measures: measures options.
        notes: of what is done.
        direct: whether every option of every unit is measured.
        timed: gives seconds of the products of a unit in some of its options; None: nobody takes times.
    """

    measures: MeasuresOptions
    notes: Notes
    direct: bool = False
    timed: Callable[[PlannedUnit, Sequence[int]], list[float]] | None = None

    def units(self, planned: Sequence[PlannedUnit]) -> Iterator[Unit]:
        """The costs of the units, group after group."""
        for group in self.measures.groups(planned):
            encoded = self._encoded(group)
            chosen = {unit.name: options_to_run(unit, encoded[unit.name], direct=self.direct) for unit in group}
            self._run([(unit, at) for unit in group for at in chosen[unit.name]])
            for unit in group:
                yield self._costs(unit, encoded[unit.name], chosen[unit.name])

    def _encoded(self, group: Sequence[PlannedUnit]) -> dict[str, EncodedOptions]:
        """The encoded options of each unit, by the unit's name. Raises NumericError for a unit that has none."""
        missing = [
            (unit, at)
            for unit in group
            for at in range(len(unit.options))
            if encoded_key(unit, at) not in self.notes.done
        ]
        for (unit, at), found in self.measures.encoded(missing):
            _log.info("%s: encoded", encoded_key(unit, at))
            record = {"fits": False} if found is None else attrs.asdict(found)
            self.notes.add(encoded_key(unit, at), record)
        noted = {unit.name: noted_options(unit, self.notes) for unit in group}
        for unit in group:
            if not noted[unit.name]:
                raise self.measures.refusal(unit)
        return noted

    def _run(self, chosen: Sequence[UnitOption]) -> None:
        """Runs the network with options whose damage is not known."""
        missing = [(unit, at) for unit, at in chosen if damage_key(unit, at) not in self.notes.done]
        for (unit, at), damage in self.measures.damages(missing):
            _log.info("%s: %g nats a token", damage_key(unit, at), damage)
            self.notes.add(damage_key(unit, at), {"kld": damage})

    def _costs(self, unit: PlannedUnit, encoded: EncodedOptions, chosen: Sequence[int]) -> Unit:
        damages = {at: float(self.notes.done[damage_key(unit, at)]["kld"]) for at in chosen}
        seconds = self._seconds(unit, list(encoded))
        options = {
            at: _option(unit, at, each, damages.get(at, _predicted(encoded, damages, at)), seconds.get(at))
            for at, each in encoded.items()
        }
        ordered = by_size(options.values())
        measured = tuple(sorted(ordered.index(options[at]) for at in damages))
        names, shapes = ([getattr(tensor, key) for tensor in unit.tensors] for key in ("name", "shape"))
        return Unit(unit.name, tuple(names), unit.roles, tuple(shapes), measured, ordered)

    def _seconds(self, unit: PlannedUnit, options: Sequence[int]) -> dict[int, float]:
        """Seconds of the unit's products with one activation, by option."""
        if self.timed is None:
            return {}
        key = f"{unit.name}, seconds"
        if key not in self.notes.done:
            self.notes.add(key, {"seconds": self.timed(unit, options)})
        return dict(zip(options, self.notes.done[key]["seconds"], strict=True))


def encoded_key(unit: PlannedUnit, at: int) -> str:
    """The name of a step in the notes: an option is encoded and compared."""
    return f"{unit.name} as {spelled_option(unit.options[at])}"


def damage_key(unit: PlannedUnit, at: int) -> str:
    """The name of a step in the notes: the network is run with an option."""
    return f"{encoded_key(unit, at)}, run"


def is_measured(unit: PlannedUnit, notes: Notes, *, direct: bool) -> bool:
    """Whether all options of a unit are encoded, and those that have to be run were run."""
    if not all(encoded_key(unit, at) in notes.done for at in range(len(unit.options))):
        return False
    encoded = noted_options(unit, notes)
    return all(damage_key(unit, at) in notes.done for at in options_to_run(unit, encoded, direct=direct))


def noted_options(unit: PlannedUnit, notes: Notes) -> EncodedOptions:
    """The encoded options of a unit that has all noted."""
    records = {at: notes.done[encoded_key(unit, at)] for at in range(len(unit.options))}
    return {at: EncodedOption(**record) for at, record in records.items() if record.get("fits", True)}


def options_to_run(unit: PlannedUnit, encoded: EncodedOptions, *, direct: bool) -> list[int]:
    """The options whose damage is measured: all that have an error; or one of them and those of unknown errors.

    That one is the nearest to `MEASURED_BITS`.
    """
    with_error = [at for at, each in encoded.items() if each.error]
    unknown = [at for at, each in encoded.items() if each.error is None]
    if direct or unit.looked_up:
        return [at for at, each in encoded.items() if each.error != 0]
    if not with_error:
        return unknown
    return [min(with_error, key=lambda at: abs(8 * encoded[at].nbytes / unit.weights - MEASURED_BITS)), *unknown]


def unit_seconds(measurer: UnitMeasurer, timer: ProductTimer, unit: PlannedUnit, options: Sequence[int]) -> list[float]:
    """Seconds of the products of a unit in some of its options."""
    rows = zip(*(measurer.matrices(unit, at) for at in options), strict=True)
    columns = [timer.seconds(matrices) for matrices in rows]
    return [sum(each) for each in zip(*columns, strict=True)]


def steps_to_do(units: Sequence[PlannedUnit], notes: Notes, *, direct: bool) -> int:
    """Steps of a measurement that are not noted, about: options that are encoded, and that are run."""
    encoded = sum(encoded_key(unit, at) not in notes.done for unit in units for at in range(len(unit.options)))
    pending = [unit for unit in units if not is_measured(unit, notes, direct=direct)]
    return encoded + sum(len(unit.options) if direct or unit.looked_up else 1 for unit in pending)


def stages_to_run(pending: Sequence[PlannedUnit], layers: int, *, direct: bool) -> int:
    """Stages that a measurement runs, about: the embedding, a layer or the classifier, over the whole text."""
    passes = [(len(unit.options) if direct or unit.looked_up else 1, unit.stage(layers)) for unit in pending]
    watched = {stage for _, stage in passes if 0 <= stage < layers}
    return 2 * layers + 2 + len(watched) + sum(count * (layers + 1 - stage) for count, stage in passes)


def _predicted(encoded: EncodedOptions, damages: Mapping[int, float], at: int) -> float:
    """The damage of an option that is not measured, from the first one that is, by their output errors."""
    error = encoded[at].error
    if not error:
        return 0.0
    base = next(index for index in damages if encoded[index].error)
    return damages[base] * error / float(encoded[base].error or 1)


def _option(unit: PlannedUnit, at: int, encoded: EncodedOption, kld: float, seconds: float | None) -> Option:
    target = unit.options[at]
    return Option(target.format.tag, target.params, target.options, encoded.nbytes, encoded.error, kld, seconds)
