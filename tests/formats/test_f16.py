"""F16, tested against ``specs/f16.md``."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded
from tests.formats.strategies import matrices

EVERY_PATTERN = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)


def test_vectors() -> None:
    check_vectors("f16")


def test_every_pattern_decodes_exactly() -> None:
    check_naive_decode("F16", {"values": EVERY_PATTERN}, 256, 256)


def test_every_number_is_encoded_as_itself_and_nan_as_nan() -> None:
    again = encoded("F16", registry[as_tag("F16")].decode({"values": EVERY_PATTERN}, Geometry(256, 256)))["values"]
    number = ~np.isnan(EVERY_PATTERN)
    assert again[number].tobytes() == EVERY_PATTERN[number].tobytes()
    assert np.isnan(again[~number]).all()


@given(matrices(st.just(2), st.just(8), largest=65504.0))
def test_rounds_half_to_even(w: np.ndarray) -> None:
    """Python's own conversion gives the same."""
    check_naive("F16", w)
