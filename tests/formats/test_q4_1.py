"""Q4_1, tested against ``specs/q4_1.md`` and to the package gguf."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("Q4_1")]


def test_vectors() -> None:
    check_vectors("q4_1")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q4_1")


def test_weights_j_and_j_plus_16_share_a_byte() -> None:
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"], blocks["m"], blocks["q"][0, 0, 3] = 1, -2, 0x92
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 32))[0]
    assert (w[3], w[19], w[0]) == (0, 7, -2)
