"""The room that a cap on memory leaves to Hessians of a calibration, and to units of a measurement."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fourcc.calibration.layer_batches import hessian_bytes
from fourcc.calibration.running_sums import sums_bytes
from fourcc.errors import UsageError, listed
from fourcc.models.stage_need import stage_need
from fourcc.naming import roles
from fourcc.resident import give_back_freed_arrays, resident_bytes

if TYPE_CHECKING:
    from fourcc.models.model import Model
    from fourcc.models.weights import Inputs

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


def _too_little(stage: str, needed: int, cap: int) -> UsageError:
    hint = "Raise --memory. One stage of the network has to fit: a layer, the embedding, or the classifier."
    what = f"the weights of {stage.rstrip('.')!r} do not fit the cap on memory"
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
