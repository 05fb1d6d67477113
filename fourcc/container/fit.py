"""Whether what an index says of a tensor's parts is what its format declares; asked where the format is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import TableError
from fourcc.spec import FormatSpec, checked_shapes

if TYPE_CHECKING:
    from fourcc.container.index import TensorRecord


def fitting_shapes(record: TensorRecord, spec: FormatSpec, file: object = None) -> dict[str, tuple[int, ...]]:
    """The shape of each part, after all were compared with the format; one of variable length has shape (0,).

    Args:
        record: what the index says.
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
        found, shape = stored[part.name], shapes[part.name]
        fits = len(found.shape) == 1 if part.variable else found.shape == shape
        if found.dtype != part.dtype or not fits:
            raise TableError(
                f"part {part.name!r} does not fit the format {record.tag}",
                file=file,
                tensor=record.name,
                found=f"{found.shape} {found.dtype}",
                expected=f"{'one dimension' if part.variable else shape} {part.dtype}",
            )
    return shapes
