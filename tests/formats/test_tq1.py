"""TQ1, tested against ``specs/tq1.md`` and to the package gguf."""

import numpy as np

from fourcc.formats.tq1 import TQ1 as FORMAT
from fourcc.geometry import Geometry
from tests.formats.checks import check_vectors, random_parts
from tests.formats.oracle import check_decodes_as_gguf


def test_vectors() -> None:
    check_vectors("tq1")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("TQ1")


def test_digits_come_out_as_they_went_in() -> None:
    """Feedback chooses codes again."""
    geom = Geometry(4, 512)
    codes = np.random.default_rng(1).integers(0, 3, (4, 512)).astype(np.uint8)
    assert FORMAT.with_codes is not None
    assert FORMAT.codes is not None
    parts = FORMAT.with_codes({"blocks": random_parts("TQ1", 4, 512, seed=2)["blocks"]}, codes, geom)
    np.testing.assert_array_equal(FORMAT.codes(parts, geom), codes)
    blocks = parts["blocks"].copy()
    blocks["d"] = 1
    np.testing.assert_array_equal(FORMAT.decode({"blocks": blocks}, geom), codes.astype(np.float32) - 1)
