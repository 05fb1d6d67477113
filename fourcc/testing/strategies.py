"""Strategies for hypothesis: difficult weights, shapes and settings that fit a format, any bytes.

The only module of the kit that imports hypothesis: it is in the extra ``testing``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fourcc.arrays import Array
from fourcc.format import Format
from fourcc.geometry import Geometry
from fourcc.settings import Params, Setting
from fourcc.testing.subject import random_parts

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
SMALL = st.integers(-40, 40).map(float)  # ties and repetitions
MOST_BLOCKS = 5  # along a row


def matrices(
    rows: st.SearchStrategy[int], cols: st.SearchStrategy[int], largest: float = 3e38
) -> st.SearchStrategy[Array]:
    """float32 (rows, cols): finite weights up to `largest`, or small integers, perhaps times a power of two."""

    def of_shape(shape: tuple[int, int]) -> st.SearchStrategy[Array]:
        bounded = st.floats(-largest, largest, width=32) if largest < 3e38 else FINITE
        integers = arrays(np.float32, shape, elements=SMALL)
        scaled = st.builds(times_power_of_two, integers, st.integers(-149, 9))
        return st.one_of(arrays(np.float32, shape, elements=bounded), integers, scaled)

    return st.tuples(rows, cols).flatmap(of_shape)


def times_power_of_two(w: Array, exponent: int) -> Array:
    """The weights times a power of two; exact but for denormals."""
    return (w.astype(np.float64) * 2.0**exponent).astype(np.float32)


def columns(fmt: Format, params: Params | None = None) -> st.SearchStrategy[int]:
    """Numbers of columns that a format takes: some blocks, the last one short where the format stores short blocks."""
    width = fmt.width(params) or 32
    whole = st.integers(1, MOST_BLOCKS).map(lambda blocks: blocks * width)
    if not fmt.short_block and fmt.width(params) is not None:
        return whole
    return st.one_of(whole, st.integers(1, MOST_BLOCKS * width))


def weights(fmt: Format, params: Params | None = None, largest: float = 1e4) -> st.SearchStrategy[Array]:
    """float32 matrices of shapes that a format takes."""
    tall = fmt.block[0] or 4
    return matrices(st.integers(1, 2 * tall + 1), columns(fmt, params), largest)


def settings(declared: tuple[Setting, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Values that settings allow; integers without a range stay small."""
    return st.fixed_dictionaries({setting.name: _values(setting) for setting in declared})


def _values(setting: Setting) -> st.SearchStrategy[Any]:
    if setting.choices:
        return st.sampled_from(setting.choices)
    if isinstance(setting.default, bool):
        return st.booleans()
    if isinstance(setting.default, str):
        return st.just(setting.default)
    low = -64 if setting.low is None else setting.low
    high = max(64, low) if setting.high is None else setting.high
    return st.integers(int(low), int(high)) if isinstance(setting.default, int) else st.floats(low, high)


def parts(fmt: Format, rows: int, cols: int, params: Params | None = None) -> st.SearchStrategy[dict[str, Array]]:
    """Parts of a matrix with any bytes, read-only, as in a damaged file."""
    geom = Geometry(rows, cols, params or {})
    return st.integers(0, 2**32 - 1).map(lambda seed: random_parts(fmt, geom, seed))
