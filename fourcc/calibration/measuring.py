"""Measures the costs of every option: encodes, runs the changed network, and predicts what is not measured.

One option of each unit is measured: the network runs with the unit in it, from the unit's layer on, and its KL
divergence from the original is taken. That of the other options is scaled from it by the output error: on matrices of
one network the two are proportional. An embedding has each option measured, since output errors say nothing of a
look-up whose errors every layer sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.calibration.costs import MEASURED_BITS, Option, Unit, by_size
from fourcc.calibration.encoded_options import EncodingSetting, encoded_options
from fourcc.calibration.original_run import OriginalRun
from fourcc.calibration.output_comparison import OutputComparison
from fourcc.calibration.product_timer import ProductTimer
from fourcc.calibration.units import PlannedUnit
from fourcc.compute import pack_decoded
from fourcc.errors import NumericError
from fourcc.format import Aids
from fourcc.matrix_encoder import refuse_nonfinite
from fourcc.policy.asked_formats import TargetFormat
from fourcc.qmatrix import QMatrix

if TYPE_CHECKING:
    from fourcc.sources.source import SourceTensor


@attrs.frozen(eq=False)
class _Encoded:
    """A unit in one option: its matrices, and their mean output error."""

    option: TargetFormat
    matrices: tuple[QMatrix, ...]
    error: float | None

    @property
    def nbytes(self) -> int:
        return sum(matrix.nbytes for matrix in self.matrices)


@attrs.frozen(eq=False)
class Measuring:
    """The measurement of a model's units.

    Attributes:
        run: the original on the measuring text, at its first stage.
        aids: what calibration knows, by tensor.
        setting: how matrices are encoded; embeddings are encoded without its feedback.
        direct: whether every option of every unit is measured.
        timer: takes the time of products; None: nobody does.
    """

    run: OriginalRun
    aids: Mapping[str, Aids]
    setting: EncodingSetting
    direct: bool = False
    timer: ProductTimer | None = None

    def units(self, pending: Sequence[PlannedUnit], begun: Callable[[str], None]) -> Iterator[Unit]:
        """The pending units' costs, in the order of the layers; `begun` is called with a unit's name before it."""
        for unit in sorted(pending, key=lambda unit: unit.stage(self.run.layers)):
            begun(unit.name)
            self.run.advance_to(unit.stage(self.run.layers))
            yield self._measured(unit)

    def _measured(self, unit: PlannedUnit) -> Unit:
        encoded = self._encoded(unit)
        chosen = list(range(len(encoded))) if self.direct or unit.looked_up else _chosen(unit, encoded)
        damages = {at: self._damage(encoded[at]) for at in chosen if encoded[at].error != 0}
        seconds = self._seconds(encoded)
        options = [
            _option(each, damages.get(at, _predicted(encoded, damages, at)), seconds[at])
            for at, each in enumerate(encoded)
        ]
        ordered = by_size(options)
        measured = tuple(sorted(ordered.index(options[at]) for at in damages))
        names, shapes = ([getattr(tensor, key) for tensor in unit.tensors] for key in ("name", "shape"))
        return Unit(unit.name, tuple(names), unit.roles, tuple(shapes), measured, ordered)

    def _damage(self, encoded: _Encoded) -> float:
        """The KL divergence with the decoded matrices in the originals' places."""
        return self.run.divergence(
            {str(each.name): pack_decoded(self.setting.decoded(each)) for each in encoded.matrices}
        )

    def _encoded(self, unit: PlannedUnit) -> list[_Encoded]:
        """The unit in each option that can hold its weights. Raises NumericError where none can."""
        columns = [self._columns(tensor, unit) for tensor in unit.tensors]
        encoded: list[_Encoded] = []
        for option, column in zip(unit.options, zip(*columns, strict=True), strict=True):
            matrices = [each for each, _ in column if isinstance(each, QMatrix)]
            errors = [error for _, error in column if error is not None]
            if len(matrices) == len(column):
                mean = sum(errors) / len(errors) if len(errors) == len(column) else None
                encoded.append(_Encoded(option, tuple(matrices), mean))
        if not encoded:
            raise next(each for column in columns for each, _ in column if isinstance(each, NumericError))
        return encoded

    def _seconds(self, encoded: Sequence[_Encoded]) -> list[float | None]:
        """Seconds of the unit's products with one activation, in each option."""
        if self.timer is None:
            return [None] * len(encoded)
        columns = [self.timer.seconds(matrices) for matrices in zip(*(each.matrices for each in encoded), strict=True)]
        return [sum(each) for each in zip(*columns, strict=True)]

    def _columns(self, tensor: SourceTensor, unit: PlannedUnit) -> list[tuple[QMatrix | NumericError, float | None]]:
        """A matrix in each option, with its output error."""
        weights = np.ascontiguousarray(tensor.decode(), np.float32)
        refuse_nonfinite([(0, weights)], tensor=tensor.name, hint="The model's weights are damaged.")
        inputs = self.run.inputs.get(tensor.name)
        error = OutputComparison(weights, self.run.tokens if inputs is None else inputs, self.setting.threads)
        aids = self.aids.get(tensor.name, Aids())
        setting = attrs.evolve(self.setting, feedback=None) if unit.looked_up else self.setting
        matrices = encoded_options(tensor, weights, unit.options, aids, setting)
        return [(each, error(setting.decoded(each)) if isinstance(each, QMatrix) else None) for each in matrices]


def stages_to_run(pending: Sequence[PlannedUnit], layers: int, *, direct: bool) -> int:
    """Stages that a measurement runs, about: the embedding, a layer or the classifier, over the whole text."""
    passes = [(len(unit.options) if direct or unit.looked_up else 1, unit.stage(layers)) for unit in pending]
    watched = {stage for _, stage in passes if 0 <= stage < layers}
    return 2 * layers + 2 + len(watched) + sum(count * (layers + 1 - stage) for count, stage in passes)


def _chosen(unit: PlannedUnit, encoded: Sequence[_Encoded]) -> list[int]:
    """The options to measure: the one with an error nearest to `MEASURED_BITS`, and those of unknown errors."""
    unknown = [at for at, each in enumerate(encoded) if each.error is None]
    with_error = [at for at, each in enumerate(encoded) if each.error]
    if not with_error:
        return unknown
    return [min(with_error, key=lambda at: abs(8 * encoded[at].nbytes / unit.weights - MEASURED_BITS)), *unknown]


def _predicted(encoded: Sequence[_Encoded], damages: Mapping[int, float], at: int) -> float:
    """The damage of an option that is not measured, from the first one that is, by their output errors."""
    error = encoded[at].error
    if not error:
        return 0.0
    base = next(index for index in damages if encoded[index].error)
    return damages[base] * error / float(encoded[base].error or 1)


def _option(encoded: _Encoded, kld: float, seconds: float | None) -> Option:
    target = encoded.option
    return Option(target.format.tag, target.params, target.options, encoded.nbytes, encoded.error, kld, seconds)
