"""The result of a quantization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.to_budget import MeasuredConversion
from fourcc.quantizing.container import Container

if TYPE_CHECKING:
    from fourcc.conversion.pipeline import Step
    from fourcc.models.intervals import Interval


@attrs.frozen(eq=False)
class Quantized:
    """A quantized model.

    Attributes:
        path: the file or folder.
        container: ``model.bin``, or the kind of an export.
        beside: further files.
        formats: tag -> number of tensors.
        weights: number of weights.
        nbytes: bytes of the tensors.
        file_bytes: bytes of all files that hold tensors.
        divergence: KL divergence from the original in nats a token; None where no text was given.
        candidates: the mixes that a budget compared, the one that was written first.
        notes: on what is odd, left out or lost.
    """

    path: Path
    container: str
    beside: tuple[Path, ...]
    formats: Mapping[str, int]
    weights: int
    nbytes: int
    file_bytes: int
    divergence: Interval | None
    candidates: tuple[MeasuredConversion, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"<Quantized {self.path}: {self.container}, {8 * self.nbytes / max(1, self.weights):.4g} bits per weight>"
        )


def quantized(
    container: Container, steps: Iterable[Step], path: Path, notes: Iterable[str], files: Iterable[Path] = ()
) -> Quantized:
    """The result of writing steps; `files` are those that hold the model."""
    tensors = [(str(step.decision.tag), prod(step.source.shape), step.decision.nbytes) for step in steps]
    return quantized_of(container, tensors, path, tuple(notes), None, files)


def quantized_of(
    container: Container,
    tensors: Sequence[tuple[str, int, int]],
    path: Path,
    notes: tuple[str, ...],
    divergence: Interval | None,
    files: Iterable[Path] = (),
) -> Quantized:
    """The result, from (tag, weights, bytes) of each tensor."""
    formats: dict[str, int] = {}
    for tag, _, _ in tensors:
        formats[tag] = formats.get(tag, 0) + 1
    weights, nbytes = sum(each for _, each, _ in tensors), sum(each for _, _, each in tensors)
    held = tuple(files)
    size = sum(each.stat().st_size for each in held)
    beside = held if len(held) > 1 else ()
    return Quantized(path, container.name, beside, formats, weights, nbytes, size, divergence, (), notes)
