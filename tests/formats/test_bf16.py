"""BF16, tested against ``specs/bf16.md``."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded
from tests.formats.strategies import matrices

EVERY_PATTERN = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def test_vectors() -> None:
    check_vectors("bf16")


def test_every_pattern_decodes_exactly() -> None:
    check_naive_decode("BF16", {"values": EVERY_PATTERN}, 256, 256)


def test_every_pattern_is_encoded_as_itself() -> None:
    """NaN keeps its sign and payload, but becomes quiet (bit 6)."""
    again = encoded("BF16", registry[as_tag("BF16")].decode({"values": EVERY_PATTERN}, Geometry(256, 256)))["values"]
    nan = (EVERY_PATTERN & 0x7FFF) > 0x7F80
    np.testing.assert_array_equal(again, np.where(nan, EVERY_PATTERN | 0x40, EVERY_PATTERN))


def test_a_nan_whose_payload_lies_in_the_lower_half_stays_nan() -> None:
    w = np.array([[0x7F800001, 0xFFFFFFFF]], np.uint32).view(np.float32)
    assert encoded("BF16", w)["values"].tolist() == [[0x7FC0, 0xFFFF]]


@given(matrices(st.just(2), st.just(8), largest=2.0**126))
def test_rounds_half_to_even(w: np.ndarray) -> None:
    check_naive("BF16", w)
