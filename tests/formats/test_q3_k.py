"""Q3_K, tested against ``specs/q3_k.md`` and to the package gguf."""

import numpy as np
import pytest

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("Q3_K")]


def test_vectors() -> None:
    check_vectors("q3_k")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("Q3_K")


@pytest.mark.parametrize("sub", range(16))
def test_each_scale_has_its_bits(sub: int) -> None:
    """32 + 17 in one sub-block, 32 in all others: their weights are zero."""
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    stored = blocks["scales"][0, 0]
    stored[8:] = 0xAA
    stored[sub % 8] |= 1 << 4 * (sub // 8)
    stored[8 + sub % 4] |= 1 << 2 * (sub // 4)
    blocks["d"] = 1
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 256)).reshape(16, 16)
    assert (w[sub] == -4 * 17).all()
    assert not np.delete(w, sub, axis=0).any()
