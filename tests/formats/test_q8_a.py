"""Q8_A, tested against ``specs/q8_a.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts
from tests.formats.strategies import matrices

Q8_A = registry[as_tag("Q8_A")]


def test_vectors() -> None:
    check_vectors("q8_a")


@given(matrices(st.sampled_from([1, 2, 127, 128, 129, 257]), st.integers(1, 3)))
def test_is_the_plain_python(w: Array) -> None:
    """The plain Python's codes are exact quotients of fractions, rounded once."""
    check_naive("Q8_A", w)


def test_decodes_any_bytes_as_the_plain_python_does() -> None:
    check_naive_decode("Q8_A", random_parts("Q8_A", 200, 16, seed=1), 200, 16)


def test_the_scale_of_a_row_block_is_taken_over_its_own_rows() -> None:
    """The fork took rows i .. i + 127 for block i, so all scales but the first belonged to other weights."""
    w = np.random.default_rng(1).standard_normal((1024, 16), dtype=np.float32)
    scales = encoded("Q8_A", w)["scales"]
    for block in range(8):
        np.testing.assert_array_equal(scales[block], np.abs(w[128 * block : 128 * block + 128]).max(axis=0))
    assert np.abs(encode(w, "Q8_A").decode() - w).max() < 0.02  # 0.1 with the fault


def test_the_scale_is_the_largest_magnitude_itself() -> None:
    """It is not divided by 127, as in the files of the fork."""
    assert encoded("Q8_A", np.array([[-3.0], [1.0]]))["scales"].tolist() == [[3.0]]


def test_a_scale_is_divided_by_127_in_double_precision() -> None:
    """In float32 the quotient would be rounded first, and some weights would differ in their last bit."""
    scales = np.random.default_rng(1).random((1, 4096), dtype=np.float32)
    q = np.full((1, 4096), 113, np.int8)
    decoded = Q8_A.decode({"scales": scales, "q": q}, Geometry(1, 4096))
    np.testing.assert_array_equal(decoded, (scales.astype(np.float64) / 127 * 113).astype(np.float32))
    assert (decoded != scales / np.float32(127) * np.float32(113)).any()


@pytest.mark.parametrize("exponent", [-149, -148, -140, -130, -127, -126])
def test_columns_of_denormals_keep_all_their_codes(exponent: int) -> None:
    """127 / scale is infinite in float32 here."""
    w = (np.arange(-100, 101)[:, None] * 2.0**exponent).astype(np.float32)
    codes = encoded("Q8_A", w[:128])["q"]
    np.testing.assert_array_equal(codes[:, 0], np.rint(np.arange(-100, 28) * 127 / 100))


def test_an_outlier_column_harms_no_other() -> None:
    w = np.random.default_rng(1).standard_normal((128, 3), dtype=np.float32)
    loud = w.copy()
    loud[:, 1] *= 1000
    quiet, loud = encode(w, "Q8_A").decode(), encode(loud, "Q8_A").decode()
    np.testing.assert_array_equal(quiet[:, [0, 2]], loud[:, [0, 2]])
