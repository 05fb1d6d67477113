"""NF4, tested against ``specs/nf4.md``."""

import numpy as np

from fourcc.formats.nf4 import LEVELS
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive_decode, check_vectors, random_parts

FORMAT = registry[as_tag("NF4")]


def test_vectors() -> None:
    check_vectors("nf4")


def test_decodes_as_the_plain_python_does() -> None:
    for cols in (1, 63, 64, 65, 288):
        parts = {"q": random_parts("NF4", 3, cols, seed=cols)["q"]}
        parts["scales"] = np.random.default_rng(cols).standard_normal((3, -(-cols // 64)), dtype=np.float32)
        check_naive_decode("NF4", parts, 3, cols)


def test_levels_ascend_and_hold_zero_and_both_ends() -> None:
    assert (np.diff(LEVELS) > 0).all()
    assert (LEVELS[0], LEVELS[7], LEVELS[15]) == (-1, 0, 1)


def test_the_high_nibble_is_the_even_column() -> None:
    parts = {"scales": np.ones((1, 1), np.float32), "q": np.array([[0x0F, 0x7F]], np.uint8)}
    np.testing.assert_array_equal(FORMAT.decode(parts, Geometry(1, 4))[0], [-1, 1, 0, 1])
