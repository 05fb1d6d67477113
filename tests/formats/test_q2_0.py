"""Q2_0, tested against ``specs/q2_0.md``; the lane of ggml's blocks asks its C code."""

import numpy as np

from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive_decode, check_vectors, encoded, random_parts

FORMAT = registry[as_tag("Q2_0")]


def test_vectors() -> None:
    check_vectors("q2_0")


def test_decodes_any_codes_as_plain_python_does() -> None:
    blocks = random_parts("Q2_0", 8, 512, seed=1)["blocks"].copy()
    blocks["d"] = np.random.default_rng(2).standard_normal(blocks.shape)
    check_naive_decode("Q2_0", {"blocks": blocks}, 8, 512)


def test_the_code_of_twice_the_scale_is_read_and_never_written() -> None:
    parts = {"blocks": random_parts("Q2_0", 1, 64, seed=1)["blocks"].copy()}
    parts["blocks"]["d"], parts["blocks"]["q"] = 1, 0xFF
    assert (FORMAT.decode(parts, Geometry(1, 64)) == 2).all()
    w = np.random.default_rng(3).standard_normal((16, 256)).astype(np.float32)
    assert FORMAT.codes is not None
    assert FORMAT.codes(encoded("Q2_0", w), Geometry(16, 256)).max() == 2
