"""Parts as no encoder would make them, but a foreign file may hold: scales near both ends, NaN, the last codes."""

import numpy as np

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import complete
from fourcc.tags import FourCC
from fourcc.testing.subject import random_parts
from tests.kernels.random_inputs import fitting

EXPONENTS = (0, 1, 127, 128, 191, 192, 193, 252, 253, 254, 255)  # of a byte that is one


def hostile(tag: FourCC, rows: int, cols: int, seed: int) -> QMatrix:
    """A matrix of such parts; as many columns, or the fewest more that the format takes."""
    found, cols, random = registry[tag], fitting(tag, cols), np.random.default_rng(seed)
    params = complete(found.params, {})
    parts: dict[str, Array] = {}
    for name, part in random_parts(found, Geometry(rows, cols, params), seed).items():
        made = part.copy()
        for field in made.dtype.names or ():
            made[field] = _numbers(random, made[field])
        parts[name] = made if made.dtype.names else _numbers(random, made)
    return QMatrix(tag, (rows, cols), parts, params)


def _numbers(random: np.random.Generator, given: Array) -> Array:
    """Numbers of one kind in the place of random ones, which may stay."""
    if given.dtype.kind == "f":
        kinds = _floats(given.dtype)
        return random.choice(kinds[random.integers(len(kinds))], given.shape).astype(given.dtype)
    if given.dtype.kind not in "iu" or random.random() < 0.5:
        return given
    least, most = np.iinfo(given.dtype).min, np.iinfo(given.dtype).max
    ends = [least, most, 0, most // 2]
    chosen = EXPONENTS if given.dtype == np.uint8 and random.random() < 0.5 else ends
    return random.choice(np.array(chosen, given.dtype), given.shape)


def _floats(dtype: np.dtype) -> list[Array]:
    """Near overflow, near zero, both, not finite, ordinary."""
    info = np.finfo(dtype)
    most, tiny, least = float(info.max), float(info.tiny), float(info.smallest_subnormal)
    large = [most, most / 2, most / 100, -most, most / 127, min(most, 2.0**64), 1]
    small = [tiny, least, 3 * least, 0, -tiny / 2, tiny / 127]
    kinds = [large, small, [*large, *small], [1, 0.5, np.nan, np.inf, -np.inf, -3], [1, 2.0**-5, -3]]
    return [np.array(kind, np.float64) for kind in kinds]
