"""Facts from a file of costs: the damage of each tensor's format, and where the file lies by the frontier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, prod
from typing import TYPE_CHECKING

from fourcc.calibration.frontier import frontier
from fourcc.calibration.pins import spelled
from fourcc.errors import PluginError, UsageError
from fourcc.reporting.document import FrontierReport, OfferedOption, TensorCosts

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.calibration.costs import Costs, Option, Unit
    from fourcc.sources.source import Source, SourceTensor

WORTH = 0.8  # of the divergence of every smaller option: what an option has at most to be listed


def cost_facts(costs: Costs, source: Source, file: Path | None) -> dict[str, TensorCosts]:
    """Tensor's name -> what the costs say of it.

    Raises:
        UsageError: the costs are of another model: no unit has the names and shapes of its tensors.
    """
    tensors = {tensor.name: tensor for tensor in source.tensors}
    fitting = [unit for unit in costs.units if _is_of(unit, tensors)]
    if not fitting:
        hint = "Give the costs of the model that this file was made from."
        raise UsageError(f"these are the costs of another model than {source.path}", file=file, hint=hint)
    return {name: _facts(unit, tensors[name]) for unit in fitting for name in unit.tensors}


def frontier_report(costs: Costs, source: Source, against: Source | None) -> FrontierReport:
    """The frontier of the costs, with the file and the compared model beside it."""
    points = tuple((point.nbytes, point.kld) for point in frontier(costs))
    weights = sum(prod(tensor.shape) for tensor in source.tensors)
    missing = sum(kld is None for kld in _divergences(costs, source))
    there = None if against is None else _place(costs, against)
    place = _place(costs, source)
    return FrontierReport(points, _uniform(costs), place, there, missing, len(costs.units), weights, _said(costs))


def _place(costs: Costs, source: Source) -> tuple[int, float] | None:
    """Bytes of all tensors and nats a token of a file; None where a unit's divergence is not known."""
    known = [kld for kld in _divergences(costs, source) if kld is not None]
    try:
        nbytes = sum(tensor.nbytes for tensor in source.tensors)
    except PluginError:
        return None
    return (nbytes, fsum(known)) if len(known) == len(costs.units) else None


def _divergences(costs: Costs, source: Source) -> list[float | None]:
    """Nats a token that each unit loses in the format that a file gives it; None where that was not measured."""
    tensors = {tensor.name: tensor for tensor in source.tensors}
    chosen = [_here(unit, tensors[unit.tensors[0]]) if _is_of(unit, tensors) else None for unit in costs.units]
    return [None if option is None else option.kld for option in chosen]


def _said(costs: Costs) -> dict[str, object]:
    parted = ", document by document" if costs.documents else ""
    return {
        "measured on": f"{costs.tokens} tokens in windows of at most {costs.context}{parted}",
        "text": f"SHA-256 {costs.text}",
        "model": costs.model,
        "calibration": costs.calibration or "none",
        "error feedback": "none" if costs.feedback is None else " ".join(f"{k}={v}" for k, v in costs.feedback.items()),
        "machine": costs.machine,
    }


def _is_of(unit: Unit, tensors: Mapping[str, SourceTensor]) -> bool:
    pairs = zip(unit.tensors, unit.shapes, strict=True)
    return all(name in tensors and tensors[name].shape == shape for name, shape in pairs)


def _facts(unit: Unit, tensor: SourceTensor) -> TensorCosts:
    here, reference = _here(unit, tensor), unit.reference
    return TensorCosts(
        unit.name,
        None if here is None else here.kld,
        reference.kld,
        spelled(reference),
        tuple(
            OfferedOption(spelled(option), unit.bits(option), option.kld, option is here)
            for option in _worth(unit.options, here)
        ),
    )


def _here(unit: Unit, tensor: SourceTensor) -> Option | None:
    """The option that the file has: its tag, its parameters, and if the file says them, its encoder's options."""
    same = [o for o in unit.options if o.tag == tensor.tag and dict(o.params) == dict(tensor.params)]
    asked = {} if tensor.record is None else dict(tensor.record.options)
    return next((option for option in same if dict(option.options) == asked), same[0] if same else None)


def _worth(options: Iterable[Option], here: Option | None) -> list[Option]:
    """The options that lose clearly less than every smaller one, and the file's own; by bytes."""
    least, worth = float("inf"), []
    for option in options:
        if option is here or (option.kld is not None and option.kld <= WORTH * least):
            worth.append(option)
            least = min(least, least if option.kld is None else option.kld)
    return worth


def _uniform(costs: Costs) -> tuple[tuple[str, int, float], ...]:
    """Every option that all units have: name, bytes of all tensors, nats a token."""
    groups: dict[str, list[Option]] = {}
    for unit in costs.units:
        for option in unit.options:
            groups.setdefault(spelled(option), []).append(option)
    whole = {name: some for name, some in groups.items() if _complete(some, len(costs.units))}
    tags = [str(some[0].tag) for some in whole.values()]
    return tuple(
        (
            str(some[0].tag) if tags.count(str(some[0].tag)) == 1 else name,
            costs.fixed_bytes + sum(option.nbytes for option in some),
            sum(option.kld or 0.0 for option in some),
        )
        for name, some in whole.items()
    )


def _complete(options: Sequence[Option], units: int) -> bool:
    return len(options) == units and all(option.kld is not None for option in options)
