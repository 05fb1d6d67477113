"""IQ4X, tested against ``specs/iq4x.md`` and to the package gguf."""

import numpy as np
import pytest

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("IQ4X")]


def test_vectors() -> None:
    check_vectors("iq4x")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("IQ4X")


@pytest.mark.parametrize("sub", range(8))
def test_each_scale_has_its_bits(sub: int) -> None:
    """32 + 17 in one sub-block, 32 in all others: their weights are zero."""
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["d"], blocks["scales_high"] = 1, 0xAAAA | 1 << 2 * sub
    blocks["scales_low"][0, 0, sub // 2] = 1 << 4 * (sub % 2)
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 256)).reshape(8, 32)
    assert (w[sub] == -127 * 17).all()
    assert not np.delete(w, sub, axis=0).any()
