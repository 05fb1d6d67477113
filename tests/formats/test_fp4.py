"""FP4, tested against ``specs/fp4.md``; `tests/sources/test_other_tools.py` compares it with its tool."""

import numpy as np

from tests.formats.checks import check_naive_decode, check_vectors, random_parts


def test_vectors() -> None:
    check_vectors("fp4")


def test_decodes_any_codes_as_plain_python_does() -> None:
    parts = dict(random_parts("FP4", 8, 200, seed=1))
    for name in ("scales",):
        parts[name] = np.random.default_rng(2).standard_normal(parts[name].shape).astype(np.float32)
    check_naive_decode("FP4", parts, 8, 200)
