"""Shapes: a tensor's leading dimensions, rows and columns, and the geometry that a format's functions see."""

from __future__ import annotations

from math import prod

import attrs

from fourcc.settings import Params


def split_shape(shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, int]:
    """Leading dimensions (independent matrices, such as experts), rows and columns of a tensor's shape.

    >>> split_shape((8, 128, 64)), split_shape((64,)), split_shape(())
    (((8,), 128, 64), ((), 1, 64), ((), 1, 1))
    """
    if len(shape) < 2:
        return (), 1, prod(shape)
    return shape[:-2], shape[-2], shape[-1]


@attrs.frozen
class Geometry:
    """The shape of one matrix, or of a run of its rows, with the parameters of its format.

    Attributes:
        rows, cols: how many.
        params: of the layout.
    """

    rows: int
    cols: int
    params: Params = attrs.field(factory=dict)
