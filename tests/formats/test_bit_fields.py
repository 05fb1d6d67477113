"""Codes of a few bits, packed as in ggml."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.formats.layouts.bit_fields import packed, unpacked


@pytest.mark.parametrize(
    ("bits", "run", "codes"),
    [
        (4, 2, [1, 2, 3, 4]),
        (2, 1, [1, 0, 3, 0, 2, 0, 0, 1]),
        (1, 2, [1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0]),
    ],
)
def test_fields_of_equal_place_come_together(bits: int, run: int, codes: list[int]) -> None:
    stored = np.array([0x31, 0x42], np.uint8)
    np.testing.assert_array_equal(unpacked(stored, run, bits), codes)


@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 4, 16]), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_packing_undoes_unpacking(bits: int, run: int, count: int, seed: int) -> None:
    stored = np.random.default_rng(seed).integers(0, 256, (3, 2, run * count), dtype=np.uint8)
    codes = unpacked(stored, run, bits)
    assert codes.shape == (3, 2, run * count * 8 // bits)
    assert codes.max(initial=0) < 2**bits
    np.testing.assert_array_equal(packed(codes, run, bits), stored)
