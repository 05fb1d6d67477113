"""F32, tested against ``specs/f32.md``."""

import numpy as np
import pytest

from fourcc.encoding import encode
from fourcc.errors import NumericError
from tests.formats.checks import check_naive_decode, check_vectors, encoded, random_parts


def test_vectors() -> None:
    check_vectors("f32")


def test_any_bits_are_carried() -> None:
    """Infinity and NaN with their payloads included."""
    parts = random_parts("F32", 64, 64, seed=1)
    check_naive_decode("F32", parts, 64, 64)
    assert encoded("F32", parts["values"])["values"].tobytes() == parts["values"].tobytes()


def test_a_float64_beyond_float32_is_refused() -> None:
    with pytest.raises(NumericError, match=r"1 of 2 weights are not finite, .* too large for F32"):
        encode(np.array([[1.0, 1e300]]), "F32")
