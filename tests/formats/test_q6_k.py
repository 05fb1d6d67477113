"""Q6_K, tested against ``specs/q6_k.md`` and to the package gguf."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("Q6_K")]


def test_vectors() -> None:
    check_vectors("q6_k")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q6_K")


def test_bits_of_a_code_come_from_two_places() -> None:
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"], blocks["scales"] = 1, 1
    blocks["q"][0, 0, 64 + 40], blocks["high"][0, 0, 32 + 8] = 0x5A, 0b11_10_01_00
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 256))[0]
    changed = {int(at): float(w[at]) + 32 for at in np.flatnonzero(w != -32)}
    assert changed == {128 + 40: 0x1A, 128 + 104: 0x35, 128 + 72: 0x20}


def test_scales_are_signed() -> None:
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"], blocks["scales"] = 1, -128
    assert (FORMAT.decode({"blocks": blocks}, Geometry(1, 256)) == 4096).all()
