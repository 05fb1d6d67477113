"""F8E8, tested against ``specs/f8e8.md``."""

import numpy as np
import pytest

from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive_decode, check_vectors

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(2, 128)


def test_vectors() -> None:
    check_vectors("f8e8")


def test_every_byte_is_the_plain_python_value() -> None:
    check_naive_decode("F8E8", {"values": EVERY_BYTE}, 2, 128)


def test_every_byte_is_the_value_of_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    expected = EVERY_BYTE.view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    decoded = registry[as_tag("F8E8")].decode({"values": EVERY_BYTE}, Geometry(2, 128))
    np.testing.assert_array_equal(decoded, expected)
    np.testing.assert_array_equal(np.signbit(decoded), np.signbit(expected))


def test_takes_no_weights() -> None:
    with pytest.raises(UsageError, match=r"^the format F8E8 has no encoder$"):
        encode(np.zeros((2, 2), np.float32), "F8E8")
