"""Q8_F, tested against ``specs/q8_f.md``."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts
from tests.formats.strategies import matrices

Q8_F = registry[as_tag("Q8_F")]


def test_vectors() -> None:
    check_vectors("q8_f")


@given(
    matrices(st.integers(1, 3), st.sampled_from([1, 2, 31, 65])), st.sampled_from([1, 2, 3, 32, 64, 1000, 2**31 - 1])
)
def test_is_the_plain_python(w: Array, group: int) -> None:
    check_naive("Q8_F", w, params={"group": group})


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, group: int, seed: int) -> None:
    params = {"group": group}
    check_naive_decode("Q8_F", random_parts("Q8_F", rows, cols, seed, params), rows, cols, params)


def test_a_group_runs_across_the_end_of_a_row() -> None:
    w = np.array([[1, 2, 8], [0.5, 0.25, 4]], np.float32)
    assert (encoded("Q8_F", w, params={"group": 4})["scales"] * 127).round(4).tolist() == [8, 4]


def test_where_groups_divide_the_rows_it_is_the_format_of_rows() -> None:
    w = np.random.default_rng(1).standard_normal((6, 24)).astype(np.float32)
    flat, rows = (encode(w, tag, {"group": 8}) for tag in ("Q8_F", "Q8_G"))
    assert {name: part.tobytes() for name, part in flat.parts.items()} == {
        name: part.tobytes() for name, part in rows.parts.items()
    }


def test_a_stack_of_matrices_has_scales_of_each() -> None:
    w = np.random.default_rng(1).standard_normal((2, 3, 10)).astype(np.float32)
    q = encode(w, "Q8_F", {"group": 4})
    assert q.parts["scales"].shape == (2, 8)
    np.testing.assert_array_equal(q[1].decode(), encode(w[1], "Q8_F", {"group": 4}).decode())


def test_bits_per_weight_follow_the_group() -> None:
    assert [float(Q8_F.bits_per_weight({"group": group})) for group in (1, 32, 128)] == [40, 9, 8.25]
