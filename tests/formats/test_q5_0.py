"""Q5_0, tested against ``specs/q5_0.md`` and to the package gguf."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("Q5_0")]


def test_vectors() -> None:
    check_vectors("q5_0")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q5_0")


def test_top_bits_stand_in_the_order_of_the_weights() -> None:
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"], blocks["high"], blocks["q"][0, 0, 3] = 1, 1 << 3 | 1 << 20, 0x92
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 32))[0]
    assert (w[3], w[19], w[20], w[0]) == (2, -7, 0, -16)
