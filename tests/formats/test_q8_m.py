"""Q8_M, tested against ``specs/q8_m.md``."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts
from tests.formats.strategies import matrices


def test_vectors() -> None:
    check_vectors("q8_m")


@given(matrices(st.integers(1, 3), st.integers(1, 40), largest=2.0**126))
def test_is_the_plain_python(w: Array) -> None:
    check_naive("Q8_M", w)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, seed: int) -> None:
    check_naive_decode("Q8_M", random_parts("Q8_M", rows, cols, seed), rows, cols)


def test_constants_and_extremes_are_kept() -> None:
    w = np.array([[-3, 0.25, 252]], np.float32)
    decoded = encode(w, "Q8_M").decode()
    assert decoded[0, 0] == -3
    assert decoded[0, 2] == 252
    assert (encode(np.full((2, 3), 0.1, np.float32), "Q8_M").decode() == np.float32(0.1)).all()


def test_where_the_codes_lie() -> None:
    q = encoded("Q8_M", np.array([[0, 1, 2], [3, 4, 255]], np.float32))["q"]
    assert q.tolist() == [[0, 1, 2], [3, 4, 255]]
