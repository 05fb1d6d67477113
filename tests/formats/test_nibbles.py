"""4-bit codes are packed and unpacked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fourcc import nibbles

PAIRS = [(nibbles.pack_high_first, nibbles.high_first), (nibbles.pack_low_first, nibbles.low_first)]
CODES = arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=st.integers(0, 15))


def test_by_hand() -> None:
    """An odd row ends with a nibble of 0."""
    codes = np.array([[1, 2, 3]], np.uint8)
    assert nibbles.pack_high_first(codes).tolist() == [[0x12, 0x30]]
    assert nibbles.pack_low_first(codes).tolist() == [[0x21, 0x03]]


@pytest.mark.parametrize(("pack", "unpack"), PAIRS, ids=["high first", "low first"])
@given(codes=CODES)
def test_codes_come_back(pack: object, unpack: object, codes: np.ndarray) -> None:
    packed = pack(codes)  # type: ignore[operator]
    assert packed.shape == (len(codes), -(-codes.shape[1] // 2))
    np.testing.assert_array_equal(unpack(packed, codes.shape[1]), codes)  # type: ignore[operator]
