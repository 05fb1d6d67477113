"""F8_G, tested against ``specs/f8_g.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.formats.layouts.e4m3 import nearest
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts
from tests.formats.strategies import matrices

F8_G = registry[as_tag("F8_G")]
GROUPS = st.sampled_from([1, 3, 5, 32, 128, 129, 1000])


def test_vectors() -> None:
    check_vectors("f8_g")


@given(matrices(st.integers(1, 3), st.sampled_from([1, 2, 31, 64, 130])), GROUPS)
def test_is_the_plain_python(w: Array, group: int) -> None:
    check_naive("F8_G", w, params={"group": group})


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 10), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, group: int, seed: int) -> None:
    params = {"group": group}
    check_naive_decode("F8_G", random_parts("F8_G", rows, cols, seed, params), rows, cols, params)


def test_numbers_are_rounded_as_ml_dtypes_does() -> None:
    """Every number, every middle between two, their neighbours, and numbers of all sizes."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    numbers = np.arange(127, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    middles = (numbers[1:] + numbers[:-1]) / 2
    rng = np.random.default_rng(5)
    spread = (rng.standard_normal(100_000) * np.exp2(rng.integers(-14, 7, 100_000))).astype(np.float32)
    near = [np.nextafter(middles, np.float32(to)) for to in (0, 1000)]
    w = np.concatenate([numbers, middles, *near, spread[np.abs(spread) <= 448]])
    w = np.concatenate([w, -w])
    np.testing.assert_array_equal(nearest(w), w.astype(ml_dtypes.float8_e4m3fn).view(np.uint8))


def test_the_largest_weight_is_448_steps() -> None:
    parts = encoded("F8_G", np.array([[1, 2, 8], [0.5, 0.25, -4]], np.float32), params={"group": 2})
    assert (parts["scales"] * 448).round(4).tolist() == [[2, 8], [0.5, 4]]
    assert parts["values"].tolist() == [[0x76, 0x7E, 0x7E], [0x7E, 0x76, 0xFE]]


@pytest.mark.parametrize("group", [0, 2**31, "64"])
def test_groups_that_cannot_be(group: object) -> None:
    with pytest.raises(UsageError, match=rf"F8_G: found {group!r}, expected"):
        encode(np.ones((1, 4), np.float32), "F8_G", {"group": group})


def test_bits_per_weight_follow_the_group() -> None:
    assert [float(F8_G.bits_per_weight({"group": group})) for group in (1, 32, 128)] == [40, 9, 8.25]
