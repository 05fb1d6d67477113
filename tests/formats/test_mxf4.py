"""MXF4, tested against ``specs/mxf4.md`` and to the package gguf."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors, encoded
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("MXF4")]


def test_vectors() -> None:
    check_vectors("mxf4")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("MXF4")


def test_every_exponent_and_code_is_the_product_of_two_numbers() -> None:
    """OCP defines them: 2^(e - 127) times E2M1."""
    blocks = np.zeros((256, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["e"][:, 0] = np.arange(256)
    blocks["q"] = np.arange(16, dtype=np.uint8)
    w = FORMAT.decode({"blocks": blocks}, Geometry(256, 32))[:, :16]
    e2m1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    with np.errstate(over="ignore"):
        exact = (np.ldexp(1.0, np.arange(256) - 127)[:, None] * [*e2m1, *-e2m1]).astype(np.float32)
    np.testing.assert_array_equal(w, exact)  # -0 equals 0
    assert not np.signbit(w[:, 8]).any()


def test_magnitudes_without_an_exponent_take_the_least_one() -> None:
    """C's cast to a byte is undefined for them."""
    w = np.full((1, 32), 2.0**-127, np.float32)
    blocks = encoded("MXF4", w)["blocks"]
    assert blocks["e"].item() == 0
    np.testing.assert_array_equal(FORMAT.decode({"blocks": blocks}, Geometry(1, 32)), w)
