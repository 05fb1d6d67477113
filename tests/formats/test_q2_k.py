"""Q2_K, tested against ``specs/q2_k.md`` and to the package gguf."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("Q2_K")]


def test_vectors() -> None:
    check_vectors("q2_k")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q2_K")


def test_a_byte_holds_codes_of_four_weights_that_are_32_apart() -> None:
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"], blocks["scales"], blocks["q"][0, 0, 33] = 1, 1, 0b11_10_01_11
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 256))[0]
    assert {int(at): float(w[at]) for at in np.flatnonzero(w)} == {129: 3, 161: 1, 193: 2, 225: 3}
