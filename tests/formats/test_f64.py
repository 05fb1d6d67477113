"""F64, tested against ``specs/f64.md``."""

import numpy as np

from fourcc.encoding import encode
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive_decode, check_vectors, encoded, random_parts


def test_vectors() -> None:
    check_vectors("f64")


def test_any_bits_are_carried() -> None:
    parts = random_parts("F64", 32, 32, seed=1)
    check_naive_decode("F64", parts, 32, 32)


def test_decodes_to_float64() -> None:
    """Numbers that float32 cannot hold are kept."""
    parts = {"values": np.array([[1 + 2.0**-52, 1e300]])}
    assert registry[as_tag("F64")].decode(parts, Geometry(1, 2)).tolist() == [[1 + 2.0**-52, 1e300]]


def test_float32_weights_are_widened() -> None:
    w = np.array([[0.1, -2.5]], np.float32)
    np.testing.assert_array_equal(encoded("F64", w)["values"], w.astype(np.float64))


def test_float64_weights_are_stored_as_they_are() -> None:
    """No bit is lost on the way through float32."""
    w = np.array([[0.1, -1e300, 5e-324]], np.float64)
    assert encode(w, "F64").decode().tobytes() == w.tobytes()
