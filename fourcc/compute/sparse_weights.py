"""The sparse weights that a format gives beside its blocks, checked alike where they are decoded and multiplied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fourcc.errors import PluginError, breaches_as

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats, Parts
    from fourcc.geometry import Geometry
    from fourcc.tags import FourCC


def sparse_weights(
    extra: Callable[[Parts, Geometry], Any], tag: FourCC, parts: Parts, geom: Geometry
) -> tuple[Array, Array, Floats]:
    """Rows, columns and float32 values, as the format gives them, checked. Raises PluginError."""
    what = f"extra of the format {tag} does not keep its contract"
    with breaches_as(lambda told: PluginError(what, found=told)):
        with np.errstate(all="ignore"):  # parts of a damaged file may hold anything
            given = extra(parts, geom)
        rows, cols, values = (np.asarray(each) for each in (given.rows, given.cols, given.values))
    shapes = rows.shape, cols.shape, values.shape
    if rows.ndim != 1 or len(set(shapes)) != 1:
        raise PluginError(what, found=f"shapes {shapes}", expected="three of (k,)")
    kinds = rows.dtype.kind, cols.dtype.kind, values.dtype.kind
    if not (kinds[0] in "iu" and kinds[1] in "iu" and kinds[2] == "f"):
        found = f"{rows.dtype}, {cols.dtype}, {values.dtype}"
        raise PluginError(what, found=found, expected="integers, integers, floats")
    for name, places, size in (("rows", rows, geom.rows), ("columns", cols, geom.cols)):
        if places.size and not (places.min() >= 0 and places.max() < size):
            raise PluginError(what, found=f"{name} {places.min()} to {places.max()}", expected=f"0 to {size - 1}")
    with np.errstate(over="ignore", invalid="ignore"):
        return rows.astype(np.int64), cols, values.astype(np.float32, copy=False)
