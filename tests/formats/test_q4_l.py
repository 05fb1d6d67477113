"""Q4_L, tested against ``specs/q4_l.md``; `tests/sources/test_other_tools.py` compares it with its tool."""

import numpy as np

from tests.formats.checks import check_naive_decode, check_vectors, random_parts


def test_vectors() -> None:
    check_vectors("q4_l")


def test_decodes_any_codes_as_plain_python_does() -> None:
    parts = dict(random_parts("Q4_L", 8, 200, seed=1))
    for name in ("scales", "offsets"):
        parts[name] = np.random.default_rng(2).standard_normal(parts[name].shape).astype(np.float32)
    check_naive_decode("Q4_L", parts, 8, 200)
