"""NVF4, tested against ``specs/nvf4.md`` and to the package gguf."""

import numpy as np
import pytest

from fourcc.formats.nvf4 import NVF4 as FORMAT
from fourcc.formats.nvf4 import SCALES
from fourcc.geometry import Geometry
from tests.formats.checks import check_vectors, encoded
from tests.formats.oracle import check_decodes_as_gguf


def test_vectors() -> None:
    check_vectors("nvf4")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("NVF4")


@pytest.mark.parametrize(
    ("peak", "scale"),
    [
        (6.0, 1.0),
        (6 * 2.0**-11, 0.0),
        (6 * 2.0**-10, 2.0**-9),
        (6 * 7.5 * 2.0**-9, 7 * 2.0**-9),
        (6 * 247, 240.0),
        (6 * 248, 448.0),
        (1e30, 448.0),
        (6 * 1.0625, 1.125),
        (6 * 1.1875, 1.25),
    ],
)
def test_scales_are_rounded_as_the_page_says(peak: float, scale: float) -> None:
    w = np.zeros((1, 64), np.float32)
    w[0, 0] = peak
    assert SCALES[encoded("NVF4", w)["blocks"]["scales"][0, 0, 0]] == scale


def test_ties_go_to_the_smaller_level() -> None:
    row = np.array([6, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5] * 2, np.float32)
    w = np.tile(np.concatenate([row, -row]), 2)[None]
    v = FORMAT.decode(encoded("NVF4", w), Geometry(1, 64))
    assert v[0, :8].tolist() == [6, 0, 0.5, 1, 1.5, 2, 3, 4]
    assert v[0, 16:24].tolist() == [-6, 0, -0.5, -1, -1.5, -2, -3, -4]
    assert not np.signbit(v[0, 17])
