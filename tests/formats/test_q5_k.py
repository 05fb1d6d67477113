"""Q5_K, tested against ``specs/q5_k.md`` and to the package gguf."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("Q5_K")]


def test_vectors() -> None:
    check_vectors("q5_k")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q5_K")


def test_top_bits_of_a_byte_are_32_weights_apart() -> None:
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"] = 1
    blocks["scales"][..., :4] = 1  # of the first four sub-blocks; the other four have scale 0
    blocks["high"][0, 0, 5] = 0b0000_1010
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 256))[0]
    assert {int(at): float(w[at]) for at in np.flatnonzero(w)} == {37: 16, 101: 16}
