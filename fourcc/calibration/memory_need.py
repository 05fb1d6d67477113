"""The room that a cap on memory leaves to Hessians of a calibration, and to units of a measurement."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.layer_batches import hessian_bytes
from fourcc.calibration.running_sums import sums_bytes
from fourcc.errors import UsageError, listed
from fourcc.models.architecture import known_sizes
from fourcc.models.stage_need import stage_need
from fourcc.naming import roles
from fourcc.resident import give_back_freed_arrays, resident_bytes

if TYPE_CHECKING:
    from fourcc.calibration.units import PlannedUnit
    from fourcc.models.model import Model
    from fourcc.models.weights import Inputs
    from fourcc.models.windows import Cut

MB = 10**6
RUNNING = 24 * MB  # modules that are imported on the way, and small objects
COMPILER = 170 * MB  # numba and LLVM, if they are not loaded yet
SHOWN = 4  # tensors in a message


def base_bytes() -> int:
    """Bytes that this process takes whatever it computes."""
    return resident_bytes() + RUNNING + COMPILER * ("llvmlite" not in sys.modules)


def hessian_room(
    model: Model, context: int, layers: Sequence[Sequence[Inputs]], hessians: frozenset[str], cap: int
) -> int:
    """The bytes that Hessians may take beside what else a calibration needs.

    Args:
        model: that is calibrated.
        context: tokens of a window.
        layers: the inputs that are watched in each.
        hessians: first names of the inputs that Hessians are collected of.
        cap: bytes of resident memory that this process may take.

    Raises:
        UsageError: the model does not fit the cap, or a Hessian, each of which is named.
    """
    give_back_freed_arrays()
    need = stage_need(model, context)
    sums = 3 * max(sums_bytes(inputs, frozenset()) for inputs in layers)
    fixed = base_bytes() + need.weights + need.activations + sums
    if fixed > cap:
        raise _too_little(need.stage, fixed, cap)
    unfit = [each for inputs in layers for each in inputs if hessian_bytes([each], hessians) > cap - fixed]
    if unfit:
        raise _unfit_hessians(unfit, fixed, hessians, cap)
    return cap - fixed


@attrs.frozen
class MeasuringRoom:
    """The room of a measurement under a cap.

    Attributes:
        in_turn: whether the stages of the network have their weights in memory in turn.
        kept_bytes: for probabilities of the original.
    """

    in_turn: bool
    kept_bytes: int


def measuring_room(model: Model, text: Cut, units: Sequence[PlannedUnit], *, feedback: bool, cap: int) -> MeasuringRoom:
    """The room of a measurement.

    Args:
        model: the original.
        text: that it reads.
        units: that are measured.
        feedback: whether encoders factor Hessians.
        cap: bytes of resident memory that this process may take.

    Raises:
        UsageError: the model does not fit the cap, or a unit; the message names it.
    """
    give_back_freed_arrays()
    need = stage_need(model, text.protocol.context)
    tokens, longest = text.scored + len(text.windows), max(len(window.tokens) for window in text.windows)
    sizes = known_sizes(model.index, model.path)
    logits = 32 * longest * sizes.vocab_size  # float32 twice, and float64 three times
    states = (
        12 * tokens * known_sizes(model.index, model.path).dim
    )  # after the last layer, of the stage, and the classifier's inputs
    fixed = base_bytes() + need.activations + logits + states
    units_need = {unit.name: _unit_bytes(unit, tokens, feedback=feedback) for unit in units}
    name = max(units_need, key=lambda name: units_need[name])
    if fixed + need.weights > cap:
        raise _too_little(need.stage, fixed + need.weights + units_need[name], cap)
    fixed += units_need[name]
    if fixed + need.weights > cap:
        what = f"measuring {name!r} does not fit the cap on memory"
        expected, hint = f"at least {_size(fixed + need.weights)}", "Raise --memory, or measure fewer --tokens."
        raise UsageError(what, found=f"--memory of {_size(cap)}", expected=expected, hint=hint)
    in_turn = fixed + need.every > cap
    return MeasuringRoom(in_turn, cap - fixed - (need.weights if in_turn else need.every))


def _unit_bytes(unit: PlannedUnit, tokens: int, *, feedback: bool) -> int:
    """Bytes of a unit: weights, one option encoded and decoded, outputs of the original, inputs twice, a factor."""
    cols = [tensor.shape[-1] for tensor in unit.tensors]
    rows = sum(tensor.shape[0] for tensor in unit.tensors)
    inputs = 8 * tokens * 4 * max(cols)  # of all matrices of a layer: of most they are as wide
    factor = 28 * max(cols) ** 2 if feedback and not unit.looked_up else 0
    return 16 * unit.weights + 4 * tokens * rows + inputs + factor


def _too_little(stage: str, needed: int, cap: int) -> UsageError:
    hint = "Raise --memory. One stage of the network has to fit: a layer, the embedding, or the classifier."
    what = f"the process with the weights of {stage.rstrip('.')!r} does not fit the cap on memory"
    return UsageError(what, found=f"--memory of {_size(cap)}", expected=f"at least {_size(needed)}", hint=hint)


def _unfit_hessians(unfit: Iterable[Inputs], fixed: int, hessians: frozenset[str], cap: int) -> UsageError:
    needs = {each.names[0]: fixed + hessian_bytes([each], hessians) for each in unfit}
    each = listed((f"that of {name!r} needs {_size(need)}" for name, need in needs.items()), SHOWN)
    count = "a Hessian does" if len(needs) == 1 else f"{len(needs)} Hessians do"
    left_out = sorted({role for each in unfit for name in each.names for role in roles(name)})
    hint = f"Raise --memory, or leave them out: {' '.join(f'--no-feedback-for {role}' for role in left_out)}."
    return UsageError(
        f"{count} not fit the cap on memory: {each}",
        found=f"--memory of {_size(cap)}",
        expected=f"at least {_size(max(needs.values()))}",
        hint=hint,
    )


def _size(nbytes: int) -> str:
    """Bytes in decimal megabytes, rounded up.

    >>> _size(1_400_001)
    '2 MB'
    """
    return f"{-(-nbytes // MB)} MB"
