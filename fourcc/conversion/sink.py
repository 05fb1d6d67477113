"""The places that tensors are written to: a container's writer, or an exporter's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from fourcc.arrays import Parts
from fourcc.container.index import PartRecord
from fourcc.spec import FormatSpec


class TensorSink(Protocol):
    """Takes the parts of one tensor, tile by tile in row order, matrix after matrix."""

    def write(self, parts: Parts, *, first_row: int) -> None:
        """Takes one tile; `first_row` is the tile's first row in its matrix."""

    def finish(self) -> tuple[PartRecord, ...]:
        """The records of the parts, with the places that they have now."""


class Sink(Protocol):
    """A file that takes tensors one after the other: a container's writer, or an exporter's."""

    def tensor(self, name: str, spec: FormatSpec, shape: tuple[int, ...], params: Mapping[str, object]) -> TensorSink:
        """The sink for the next tensor's parts."""

    def copy(self, name: str, parts: Iterable[tuple[PartRecord, Iterable[bytes]]]) -> tuple[PartRecord, ...]:
        """Takes a tensor's parts as they are stored in another container."""
