"""TC2, tested against ``specs/tc2.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.checks import check_naive, check_naive_decode, check_vectors, random_parts


def test_vectors() -> None:
    check_vectors("tc2")


@pytest.mark.thorough  # plain Python takes seconds
def test_is_the_plain_python() -> None:
    check_naive("TC2", np.random.default_rng(2).standard_t(4, (5, 6)).astype(np.float32))


@given(st.integers(1, 70), st.integers(1, 9), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, seed: int) -> None:
    check_naive_decode("TC2", random_parts("TC2", rows, cols, seed), rows, cols)
