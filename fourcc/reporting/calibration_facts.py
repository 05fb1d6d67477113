"""Facts from a calibration about a model's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.statistics import InputStatistics
    from fourcc.sources.source import Source, SourceTensor


def calibration_facts(calibration: Calibration) -> dict[str, object]:
    """The facts of the file."""
    texts = [text.name if text.digest is None else f"{text.name} ({text.digest})" for text in calibration.texts]
    known = {
        "file": f"{calibration.path.name}: calibration ({calibration.kind})",
        "id": calibration.digest,
        "model": calibration.model,
        "text": ", ".join(texts),
        "tokens": calibration.tokens,
        "longest window": calibration.context,
        "matrices": len(calibration.statistics),
        "with a Hessian": len(calibration.hessians),
    }
    return {name: value for name, value in known.items() if value is not None and value != ""}


def inputs(calibration: Calibration, source: Source) -> dict[str, dict[str, object]]:
    """Tensor's name -> what is known of its inputs.

    Raises:
        UsageError: the calibration knows none of the tensors: it is of another model.
    """
    known = {tensor.name: _inputs(calibration, found, tensor) for tensor, found in _pairs(calibration, source.tensors)}
    if not known and source.tensors:
        what = f"this calibration knows no tensor of {source.path}"
        raise UsageError(what, file=calibration.path, hint="Give the calibration of the model that it was made from.")
    return known


def _pairs(calibration: Calibration, tensors: Iterable[SourceTensor]) -> Iterable[tuple[SourceTensor, InputStatistics]]:
    for tensor in tensors:
        found = calibration.of(tensor.name)
        if found is not None:
            yield tensor, found


def _inputs(calibration: Calibration, found: InputStatistics, tensor: SourceTensor) -> dict[str, object]:
    counted = calibration.tokens is not None or calibration.context is not None
    limits, loudest = found.limits, found.loudest
    return {
        "columns": found.cols,
        "tokens": int(found.counts.sum()) if counted else None,
        "loudest column": None if loudest is None else f"{loudest:.3g} times the middle one's mean square",
        "range": None if limits is None else f"{limits[0]:.3g} to {limits[1]:.3g}",
        "dead columns": found.dead,
        "unseen experts": found.unseen if len(found.squares) > 1 else None,
        "Hessian": "yes" if tensor.name in calibration.hessians else "no",
    }
