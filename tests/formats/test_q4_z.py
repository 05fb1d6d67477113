"""Q4_Z, tested against ``specs/q4_z.md``."""

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

Q4_Z = registry[as_tag("Q4_Z")]
GROUPS = st.sampled_from([1, 2, 3, 8, 32, 128, 1000, 2**31 - 1])


def test_vectors() -> None:
    check_vectors("q4_z")


@given(matrices(st.integers(1, 3), st.sampled_from([1, 2, 31, 64, 65, 130]), largest=2.0**125), GROUPS)
def test_is_the_plain_python(w: Array, group: int) -> None:
    check_naive("Q4_Z", w, params={"group": group})


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 10), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, group: int, seed: int) -> None:
    params = {"group": group}
    check_naive_decode("Q4_Z", random_parts("Q4_Z", rows, cols, seed, params), rows, cols, params)


def test_zero_stays_zero() -> None:
    w = np.array([[-0.3, 0, 1.1, 0, 5, 0]], np.float32)
    assert (encode(w, "Q4_Z", {"group": 3}).decode()[w == 0] == 0).all()


def test_where_the_codes_lie() -> None:
    one = encoded("Q4_Z", np.array([[-1, 0, 14]], np.float32))
    assert one["q"].tolist() == [[16, 15]]


@pytest.mark.parametrize("dtype", ["<f2", "bfloat16"])
def test_products_with_short_scales_are_exact(dtype: str) -> None:
    """So a reader that computes in the scale's type gets the decoded weight, rounded to that type."""
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    every = np.arange(0x7C00 if dtype == "<f2" else 0x7B00, dtype=np.uint16).view(kind)
    for zero in (0, 8, 255):
        q = np.full((len(every), 1), 15, np.uint8)
        parts = {"scales": every.astype("<f4")[:, None], "zeros": np.full((len(every), 1), zero, np.uint8), "q": q}
        exact = every.astype(np.float64) * (15 - zero)
        assert (Q4_Z.decode(parts, Geometry(len(every), 1))[:, 0] == exact).all()
