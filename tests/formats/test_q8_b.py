"""Q8_B, tested against ``specs/q8_b.md``."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_vectors, encoded
from tests.formats.strategies import matrices

Q8_B = registry[as_tag("Q8_B")]
FLT_MAX = np.finfo(np.float32).max


def test_vectors() -> None:
    check_vectors("q8_b")


@given(matrices(st.integers(1, 2), st.sampled_from([1, 2, 127, 128, 129, 257])))
def test_is_the_plain_python(w: Array) -> None:
    check_naive("Q8_B", w)


def test_a_mean_of_its_own_keeps_what_is_small_beside_it() -> None:
    w = 1000 + np.random.default_rng(1).standard_normal((4, 128), dtype=np.float32)
    assert np.abs(encode(w, "Q8_B").decode() - w).max() < 0.02


def test_the_short_block_has_a_mean_and_a_scale_of_its_own() -> None:
    w = np.concatenate([np.full((1, 128), 5.0), [[1.0, 3.0]]], axis=1)
    parts = encoded("Q8_B", w)
    assert parts["means"].tolist() == [[5.0, 2.0]]
    assert parts["scales"].tolist() == [[0.0, 1.0]]


def test_a_constant_block_is_its_mean() -> None:
    w = np.full((1, 128), 0.1, np.float32)
    parts = encoded("Q8_B", w)
    assert not parts["q"].any()
    np.testing.assert_array_equal(Q8_B.decode(parts, Geometry(1, 128)), w)


def test_the_largest_weights_stay_finite() -> None:
    """Here w - mean exceeds float32, unless the mean is 0."""
    w = np.full((1, 128), -FLT_MAX, np.float32)
    w[0, 7] = FLT_MAX
    parts = encoded("Q8_B", w)
    assert parts["means"].tolist() == [[0.0]]
    np.testing.assert_array_equal(Q8_B.decode(parts, Geometry(1, 128)), w)


def test_just_below_half_the_range_nothing_overflows() -> None:
    below = np.nextafter(np.float32(2.0**127), np.float32(0))
    w = np.full((1, 128), -below, np.float32)
    w[0, 7] = below
    parts = encoded("Q8_B", w)
    assert parts["means"][0, 0] != 0
    assert np.isfinite(Q8_B.decode(parts, Geometry(1, 128))).all()
