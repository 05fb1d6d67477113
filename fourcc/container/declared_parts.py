"""Comparing the parts that an index describes with those that the tensor's format declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import TableError
from fourcc.spec import FormatSpec, checked_shapes

if TYPE_CHECKING:
    from fourcc.container.index import TensorRecord


def fitting_shapes(record: TensorRecord, spec: FormatSpec, file: object = None) -> dict[str, tuple[int, ...]]:
    """The shapes of the parts, after a comparison with the format; a part of variable length has shape (0,).

    Args:
        record: the tensor's, from the index.
        spec: of the tensor's format.
        file: for messages.

    Raises:
        TableError: the format cannot have stored a tensor of this shape, or in these parts.
    """
    shapes = checked_shapes(spec, record.shape, record.params, tensor=record.name, file=file)
    stored = {part.name: part for part in record.parts}
    if set(stored) != set(shapes):
        raise TableError("wrong parts", file=file, tensor=record.name, found=sorted(stored), expected=sorted(shapes))
    for part in spec.parts:
        record_of_part, shape = stored[part.name], shapes[part.name]
        fits = len(record_of_part.shape) == 1 if part.variable else record_of_part.shape == shape
        if record_of_part.dtype != part.dtype or not fits:
            raise TableError(
                f"part {part.name!r} does not fit the format {record.tag}",
                file=file,
                tensor=record.name,
                found=f"{record_of_part.shape} {record_of_part.dtype}",
                expected=f"{'one dimension' if part.variable else shape} {part.dtype}",
            )
    return shapes
