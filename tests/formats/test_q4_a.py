"""Q4_A, tested against ``specs/q4_a.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.examples import examples
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts
from tests.formats.strategies import matrices

Q4_A = registry[as_tag("Q4_A")]
EQUAL = {"method": "equal-count"}


def squared_error(w: Array, options: dict[str, object]) -> float:
    """The sum of the squared errors of a matrix."""
    return float(((encode(w, "Q4_A", options=options).decode().astype(np.float64) - w) ** 2).sum())


def test_vectors() -> None:
    check_vectors("q4_a")


@examples(40)
@given(matrices(st.integers(1, 2), st.sampled_from([1, 2, 15, 16, 17, 18, 33, 50])))
def test_is_the_plain_python(w: Array) -> None:
    check_naive("Q4_A", w)


@pytest.mark.parametrize("seed", [1, 2])
def test_full_and_short_blocks_are_the_plain_python(seed: int) -> None:
    check_naive("Q4_A", np.random.default_rng(seed).standard_t(5, (1, 256 + 77)).astype(np.float32))


@given(matrices(st.integers(1, 2), st.sampled_from([1, 2, 15, 16, 17, 33, 256, 300])))
def test_equal_counts_are_the_plain_python(w: Array) -> None:
    check_naive("Q4_A", w, EQUAL)


def test_decodes_any_bytes_as_the_plain_python_does() -> None:
    parts = random_parts("Q4_A", 3, 515, seed=1)
    check_naive_decode("Q4_A", parts, 3, 515)


def test_the_even_column_is_in_the_high_nibble() -> None:
    bins = np.arange(16, dtype=np.float32).reshape(1, 1, 16)
    decoded = Q4_A.decode({"bins": bins, "q": np.array([[0x1F, 0x20]], np.uint8)}, Geometry(1, 3))
    assert decoded.tolist() == [[1, 15, 2]]


def test_an_odd_number_of_columns_leaves_a_nibble_of_0() -> None:
    assert not (encoded("Q4_A", np.ones((4, 33)) * np.arange(33))["q"][:, -1] & 15).any()


@pytest.mark.parametrize("distinct", [1, 2, 15, 16])
@pytest.mark.parametrize("scale", [2.0**-149, 1.0, 1e37])
def test_up_to_16_distinct_values_lose_nothing(distinct: int, scale: float) -> None:
    w = (np.arange(512).reshape(2, 256) * 7 % distinct * scale).astype(np.float32)
    np.testing.assert_array_equal(encode(w, "Q4_A").decode(), w)


def test_16_distinct_values_of_all_sizes_lose_nothing() -> None:
    """Beside 1e30, the sums of float64 could not tell 1 from 2."""
    w = np.tile(np.array([-1e30, *range(-7, 7), 1e30], np.float32), (1, 4))
    np.testing.assert_array_equal(encode(w, "Q4_A").decode(), w)


def test_distinct_values_that_differ_in_the_last_bit_lose_nothing() -> None:
    w = (np.arange(256) % 16 * 2.0**-23 + 1).astype(np.float32)[None]
    np.testing.assert_array_equal(encode(w, "Q4_A").decode(), w)


def test_bins_ascend_and_the_unused_repeat_the_last() -> None:
    bins = encoded("Q4_A", np.array([[3.0, 1.0, 2.0, 1.0]]))["bins"]
    assert bins.tolist() == [[[1, 2, *[3] * 14]]]


@pytest.mark.parametrize("draw", ["standard_normal", "laplace", "standard_t"])
def test_k_means_is_never_worse_than_equal_counts(draw: str) -> None:
    random = np.random.default_rng(1)
    arguments = {"standard_t": (5,)}.get(draw, ())
    for _ in range(20):
        w = getattr(random, draw)(*arguments, size=(1, 256)).astype(np.float32)
        assert squared_error(w, {}) < squared_error(w, EQUAL)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Q4_A: found 'lloyd', expected one of 'kmeans', 'equal-count'"):
        encode(np.zeros((1, 4)), "Q4_A", options={"method": "lloyd"})
