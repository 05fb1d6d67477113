"""Q8_G, tested against ``specs/q8_g.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts
from tests.formats.strategies import matrices

Q8_G = registry[as_tag("Q8_G")]
GROUPS = st.sampled_from([1, 2, 3, 5, 32, 64, 65, 1000])


def test_vectors() -> None:
    check_vectors("q8_g")


@given(matrices(st.integers(1, 3), st.sampled_from([1, 2, 31, 64, 65, 130])), GROUPS)
def test_is_the_plain_python(w: Array, group: int) -> None:
    check_naive("Q8_G", w, params={"group": group})


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 10), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, group: int, seed: int) -> None:
    params = {"group": group}
    check_naive_decode("Q8_G", random_parts("Q8_G", rows, cols, seed, params), rows, cols, params)


def test_a_group_ends_with_its_row() -> None:
    w = np.array([[1, 2, 8], [0.5, 0.25, 4]], np.float32)
    assert (encoded("Q8_G", w, params={"group": 2})["scales"] * 127).round(4).tolist() == [[2, 8], [0.5, 4]]


def test_the_group_of_a_whole_row_is_a_scale_a_row() -> None:
    q = encode(np.ones((4, 300), np.float32), "Q8_G", {"group": 300})
    assert q.parts["scales"].shape == (4, 1)
    assert q.nbytes == 4 * 4 + 4 * 300


@pytest.mark.parametrize("group", [0, -1, 2**31, 1.5, "64"])
def test_groups_that_cannot_be(group: object) -> None:
    with pytest.raises(UsageError, match=rf"Q8_G: found {group!r}, expected"):
        encode(np.ones((1, 4), np.float32), "Q8_G", {"group": group})


def test_bits_per_weight_follow_the_group() -> None:
    assert [float(Q8_G.bits_per_weight({"group": group})) for group in (1, 32, 128)] == [40, 9, 8.25]
