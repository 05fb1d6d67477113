"""Weights that look for trouble, for hypothesis."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fourcc.format import Array

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
SMALL = st.integers(-40, 40).map(float)  # ties and repetitions


def matrices(
    rows: st.SearchStrategy[int], cols: st.SearchStrategy[int], largest: float = 3e38
) -> st.SearchStrategy[Array]:
    """float32 (rows, cols): any finite weights up to `largest`, or small integers, or those times a power of two."""

    def of_shape(shape: tuple[int, int]) -> st.SearchStrategy[Array]:
        bounded = st.floats(-largest, largest, width=32) if largest < 3e38 else FINITE
        integers = arrays(np.float32, shape, elements=SMALL)
        scaled = st.builds(
            lambda w, e: (w.astype(np.float64) * 2.0**e).astype(np.float32), integers, st.integers(-149, 9)
        )
        return st.one_of(arrays(np.float32, shape, elements=bounded), integers, scaled)

    return st.tuples(rows, cols).flatmap(of_shape)


def times_power_of_two(w: Array, exponent: int) -> Array:
    """Exact but for denormals."""
    return (w.astype(np.float64) * 2.0**exponent).astype(np.float32)
