"""Measures one option of a unit: encodes it, compares its outputs, runs the network with it.

Encoded matrices of the unit in hand are kept, so that one that is run was encoded once; any other is encoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.calibration.encoded_options import AT_ONCE, EncodingSetting, encoded_option
from fourcc.calibration.original_run import OriginalRun
from fourcc.calibration.output_comparison import OutputComparison
from fourcc.compute import pack_decoded
from fourcc.errors import NumericError
from fourcc.files.mapped import let_go
from fourcc.format import Aids
from fourcc.matrix_encoder import refuse_nonfinite
from fourcc.qmatrix import QMatrix
from fourcc.threads import Once, Task, in_order

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.calibration.units import PlannedUnit
    from fourcc.sources.source import SourceTensor

Matrices = tuple[QMatrix, ...]


@attrs.frozen
class EncodedOption:
    """Facts of a unit in one option.

    Attributes:
        nbytes: of its parts.
        error: mean output error of its matrices; None where one has none that is finite.
    """

    nbytes: int
    error: float | None


class _UnitInHand:
    """A unit's weights, its original outputs, and its matrices in the options that were encoded."""

    def __init__(self, unit: PlannedUnit, run: OriginalRun, threads: int) -> None:
        self.unit = unit
        self.encoded: dict[int, Matrices | NumericError] = {}
        self.weights: dict[str, Floats] = {}
        for tensor in unit.tensors:
            weights = np.ascontiguousarray(tensor.decode(), np.float32)  # (rows, cols)
            refuse_nonfinite([(0, weights)], tensor=tensor.name, hint="The model's weights are damaged.")
            self.weights[tensor.name] = weights
            for part in tensor.read(0, 0, 1).values():
                let_go(part)
        self.compare = {
            name: Once(partial(_comparison, name, weights, run, threads)) for name, weights in self.weights.items()
        }


def _comparison(name: str, weights: Floats, run: OriginalRun, threads: int) -> OutputComparison:
    inputs = run.inputs.get(name)
    return OutputComparison(weights, run.tokens if inputs is None else inputs, threads)


class UnitMeasurer:
    """Measures options of units, here and now.

    Args:
        run: gives the original on the measuring text, when it is first needed.
        aids: what calibration knows, by tensor.
        setting: how matrices are encoded; embeddings are encoded without its feedback.
        sparing: whether options are encoded one after the other, and none is kept, so that memory holds one.
    """

    def __init__(
        self,
        run: Callable[[], OriginalRun],
        aids: Mapping[str, Aids],
        setting: EncodingSetting,
        *,
        sparing: bool = False,
    ) -> None:
        self._run = Once(run)
        self._aids, self._setting, self._sparing = aids, setting, sparing
        self._hand: _UnitInHand | None = None

    def encoded(self, unit: PlannedUnit, wanted: Sequence[int]) -> Iterator[EncodedOption | None]:
        """The unit in some options, given by their indices, in order; None for one that cannot hold its weights.

        Raises:
            InputError: the unit's weights are not finite.
            UsageError: a format needs calibration data that are not given.
            PluginError: a format does not keep its contract.
        """
        hand = self._take(unit)
        for at, matrices in zip(wanted, self._made(hand, wanted), strict=True):
            if not self._sparing:
                hand.encoded[at] = matrices
            yield None if isinstance(matrices, NumericError) else self._facts(hand, matrices)

    def damage(self, unit: PlannedUnit, at: int) -> float:
        """The KL divergence with the decoded matrices of an option in the originals' places. Raises InputError."""
        return self._run().divergence(
            {str(each.name): pack_decoded(self._setting.decoded(each)) for each in self.matrices(unit, at)}
        )

    def matrices(self, unit: PlannedUnit, at: int) -> Matrices:
        """The unit's matrices in an option. Raises NumericError where it cannot hold the weights."""
        hand = self._take(unit)
        found = hand.encoded.get(at) or self._option(hand, at)
        if isinstance(found, NumericError):
            raise found
        return found

    def _take(self, unit: PlannedUnit) -> _UnitInHand:
        """Takes a unit in hand, and lets go of the one before."""
        if self._hand is None or self._hand.unit.name != unit.name:
            self._hand = None
            run = self._run()
            run.advance_to(unit.stage(run.layers))
            self._hand = _UnitInHand(unit, run, self._setting.threads)
        return self._hand

    def _made(self, hand: _UnitInHand, wanted: Sequence[int]) -> Iterator[Matrices | NumericError]:
        """The matrices of some options, which are encoded on several threads."""
        weights = sum(prod(tensor.shape) for tensor in hand.unit.tensors)
        tasks = (Task(partial(self._option, hand, at), weights) for at in wanted)
        return in_order(tasks, 1 if self._sparing else self._setting.threads, AT_ONCE)

    def _option(self, hand: _UnitInHand, at: int) -> Matrices | NumericError:
        try:
            return tuple(self._matrix(hand, tensor, at) for tensor in hand.unit.tensors)
        except NumericError as error:
            return error

    def _matrix(self, hand: _UnitInHand, tensor: SourceTensor, at: int) -> QMatrix:
        setting = attrs.evolve(self._setting, feedback=None) if hand.unit.looked_up else self._setting
        aids = self._aids.get(tensor.name, Aids())
        return encoded_option(tensor, hand.weights[tensor.name], hand.unit.options[at], aids, setting)

    def _facts(self, hand: _UnitInHand, matrices: Matrices) -> EncodedOption:
        errors = [hand.compare[str(each.name)]()(self._setting.decoded(each)) for each in matrices]
        known = [error for error in errors if error is not None]
        mean = sum(known) / len(known) if len(known) == len(errors) else None
        return EncodedOption(sum(each.nbytes for each in matrices), mean)
