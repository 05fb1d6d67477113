"""Q8_R, tested against ``specs/q8_r.md``; `tests/sources/test_other_tools.py` compares it with its tool."""

import numpy as np

from tests.formats.checks import check_naive_decode, check_vectors, random_parts


def test_vectors() -> None:
    check_vectors("q8_r")


def test_decodes_any_codes_as_plain_python_does() -> None:
    parts = dict(random_parts("Q8_R", 8, 96, seed=1))
    for name in ("peaks",):
        parts[name] = np.random.default_rng(2).standard_normal(parts[name].shape).astype(np.float32)
    check_naive_decode("Q8_R", parts, 8, 96)
