"""The parameter ``group``: how many neighbouring weights of a row share a scale."""

import numpy as np

from fourcc.format import Array
from fourcc.geometry import Geometry
from fourcc.settings import Setting

PARAM = "group"
LARGEST = 2**31 - 1


def group_setting(default: int) -> Setting:
    """The parameter: how many weights share a scale."""
    return Setting(PARAM, default, "weights that share a scale", low=1, high=LARGEST)


def group_of(geom: Geometry, default: int) -> int:
    """The group size of a geometry, or the default where the geometry has none."""
    return int(geom.params.get(PARAM, default))  # type: ignore[call-overload, no-any-return]  # the setting is an integer


def count(weights: int, group: int) -> int:
    """The number of groups that hold so many weights; the last group may be short."""
    return -(-weights // group)


def spread(numbers: Array, group: int, cols: int) -> Array:
    """Repeats the number of each group for its columns: (rows, groups) -> (rows, cols)."""
    if numbers.shape[1] == 1:
        return np.broadcast_to(numbers, (len(numbers), cols))
    return np.repeat(numbers, group, axis=1)[:, :cols]
