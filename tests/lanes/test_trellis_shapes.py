"""The copies of the trellis formats: the same as the built-in one in its shape, and truly of other shapes."""

import numpy as np
import pytest

import fourcc
from fourcc import Geometry, registry
from fourcc.formats.families import trellis
from tests.lanes.trellis_shapes import ALONG, SHAPES, output_error, shaped, table

W = np.random.default_rng(0).standard_normal((128, 16)).astype(np.float32)


def test_the_built_in_shape_gives_the_built_in_bytes() -> None:
    fmt = shaped(2, (64, 4))
    with registry.trying(fmt):
        made = fourcc.encode(W, fmt.tag).parts
    for name, part in fourcc.encode(W, "TC2").parts.items():
        np.testing.assert_array_equal(made[name], part)


@pytest.mark.parametrize("shape", [ALONG, *SHAPES])
def test_a_ring_fills_its_block(shape: tuple[int, int]) -> None:
    """Column after column; the built-in formats keep their own shape."""
    fmt, rows, cols = shaped(2, shape), *shape
    codes = np.random.default_rng(1).integers(0, 256, (1, 1, 64), np.uint8)
    parts = {"scale": np.ones((1, 1), np.float16), "codes": codes}
    decoded = fmt.decode(parts, Geometry(rows, cols))
    ring = registry["TC2"].decode(parts, Geometry(64, 4)).T.ravel()
    np.testing.assert_array_equal(decoded.T.ravel(), ring)
    assert (trellis.ROWS, trellis.COLS) == (64, 4)


def test_the_table_has_errors_by_those_of_blocks_along_a_row() -> None:
    """Feedback lowers them where inputs are alike."""
    random = np.random.default_rng(2)
    x = random.standard_normal((200, 16)) @ random.standard_normal((16, 16))
    hessian = (x.T @ x / len(x)).astype(np.float32)
    lines = list(table(2, {"w": (W, hessian)}))
    assert (lines[0], lines[1], len(lines)) == ("| 2 bits | `w` |", "|---|--:|", 3 + 2 * len(SHAPES))
    fmt = shaped(2, (64, 4))
    fed, plain = (output_error(fmt, W, hessian, seen=seen) for seen in ("hessian", ""))
    alone = output_error(shaped(2, ALONG), W, hessian)
    assert lines[-2] == f"| 64 x 4, feedback | {fed / alone:.2f} |"
    assert fed < 0.8 * plain
