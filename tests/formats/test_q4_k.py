"""Q4_K, tested against ``specs/q4_k.md`` and to the package gguf."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.formats.layouts.six_bits import minimum_of, pack_scales, scale_of
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf
from tests.naive import six_bits


def test_vectors() -> None:
    check_vectors("q4_k")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q4_K")


@given(st.lists(st.integers(0, 63), min_size=16, max_size=16))
def test_scales_of_six_bits_are_packed_and_unpacked(values: list[int]) -> None:
    scales, minima = np.array(values[:8]), np.array(values[8:])
    stored = pack_scales(scales, minima)
    assert stored.shape == (12,)
    assert [scale_of(stored, j) for j in range(8)] == values[:8]
    assert [minimum_of(stored, j) for j in range(8)] == values[8:]
    assert [six_bits(stored.tobytes(), j) for j in range(8)] == list(zip(values[:8], values[8:], strict=True))
