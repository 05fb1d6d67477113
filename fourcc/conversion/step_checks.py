"""Refusals of a step before anything is written: what no container holds, or no format can encode or decode."""

from __future__ import annotations

from pathlib import Path

from fourcc.container.fields import MAX_DIMENSIONS, MAX_NAME_BYTES
from fourcc.conversion.pipeline import Step
from fourcc.encoding import check_needs, check_shape
from fourcc.errors import SourceError
from fourcc.plugins.registry import registry
from fourcc.sources.source import SourceTensor


def check_storable(tensor: SourceTensor, file: Path) -> None:
    """Raises SourceError for a name or a shape that no container can hold."""
    if "\0" in tensor.name or not 1 <= len(tensor.name.encode()) <= MAX_NAME_BYTES:
        expected = f"1 to {MAX_NAME_BYTES} bytes without NUL"
        raise SourceError("the tensor's name cannot be stored", file=file, tensor=tensor.name, expected=expected)
    if len(tensor.shape) > MAX_DIMENSIONS:
        found, expected = f"{len(tensor.shape)} dimensions", f"at most {MAX_DIMENSIONS}"
        raise SourceError("the shape cannot be stored", file=file, tensor=tensor.name, found=found, expected=expected)


def check_step(step: Step) -> None:
    """Raises now what would else be raised when the tensor's turn comes: no decoder, no calibration data."""
    if step.decision.keep:
        return
    _ = step.source.format  # raises where it is missing: the tensor has to be decoded
    check_needs(registry[step.decision.tag], step.aids, step.source.shape, step.source.name)
    if step.feedback is not None and step.aids.hessian is not None:
        check_shape("hessian", step.aids.hessian, step.source.shape, step.source.name)
