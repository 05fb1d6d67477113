"""Q1_0, tested against ``specs/q1_0.md``; the lane of ggml's blocks asks its C code."""

import numpy as np

from tests.formats.checks import check_naive_decode, check_vectors, encoded, random_parts


def test_vectors() -> None:
    check_vectors("q1_0")


def test_decodes_any_codes_as_plain_python_does() -> None:
    blocks = random_parts("Q1_0", 8, 512, seed=1)["blocks"].copy()
    blocks["d"] = np.random.default_rng(2).standard_normal(blocks.shape)
    check_naive_decode("Q1_0", {"blocks": blocks}, 8, 512)


def test_the_scale_is_the_mean_in_the_order_of_the_weights() -> None:
    """Ones that are added to 2^24 one by one are lost; those that come before it are not."""
    w = np.ones((2, 128), np.float32)
    w[0, 0] = w[1, -1] = 2**24
    d = encoded("Q1_0", w / 2**10)["blocks"]["d"][:, 0].astype(np.float64)
    assert d.tolist() == [np.float16(2**24 / 2**17), np.float16((2**24 + 128) / 2**17)]


def test_minus_zero_counts_as_positive() -> None:
    w = np.full((1, 128), -0.0, np.float32)
    assert (encoded("Q1_0", w)["blocks"]["q"] == 255).all()
