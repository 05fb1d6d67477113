"""Q4_X, tested against ``specs/q4_x.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive_decode, check_vectors, random_parts

Q4_X, STRAIGHT = registry[as_tag("Q4_X")], registry[as_tag("Q4_Z")]


def test_vectors() -> None:
    check_vectors("q4_x")


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 10), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, group: int, seed: int) -> None:
    params = {"group": group}
    check_naive_decode("Q4_X", random_parts("Q4_X", rows, cols, seed, params), rows, cols, params)


@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 6), st.integers(0, 99))
def test_columns_in_order_are_the_format_without_an_index(rows: int, cols: int, group: int, seed: int) -> None:
    params = {"group": group}
    parts, geom = random_parts("Q4_Z", rows, cols, seed, params), Geometry(rows, cols, params)
    with_index = {**parts, "groups": (np.arange(cols) // group).astype("<u4")}
    np.testing.assert_array_equal(Q4_X.decode(with_index, geom), STRAIGHT.decode(parts, geom))


def test_it_is_not_written() -> None:
    with pytest.raises(UsageError, match="the format Q4_X has no encoder"):
        encode(np.ones((1, 4), np.float32), "Q4_X")
