"""Comparing two tensors of a checkpoint by their bytes."""

from __future__ import annotations

from math import prod

from fourcc.geometry import split_shape
from fourcc.sources.source import SourceTensor

_ROWS = 1024  # compared at once


def equal(a: SourceTensor, b: SourceTensor) -> bool:
    """Whether two tensors are stored in one format with the same bytes; reads both up to the first difference."""
    if (a.tag, a.shape, dict(a.params)) != (b.tag, b.shape, dict(b.params)):
        return False
    lead, rows, _ = split_shape(a.shape)
    height = a.format.block[0]
    step = rows if height is None else -(-_ROWS // height) * height
    return all(
        _run(a, matrix, first, min(rows, first + step)) == _run(b, matrix, first, min(rows, first + step))
        for matrix in range(prod(lead))
        for first in range(0, rows, max(1, step))
    )


def _run(tensor: SourceTensor, matrix: int, first: int, last: int) -> dict[str, bytes]:
    return {name: part.tobytes() for name, part in tensor.read(matrix, first, last).items()}
