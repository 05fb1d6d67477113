"""Error sums by a kernel: the float64 that `fourcc.metrics` gives, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.compute.coding import _run
from fourcc.kernels.compiler import jit
from fourcc.kernels.measuring.error_sums import error_sums, results
from fourcc.metrics import ErrorSums
from tests.examples import examples
from tests.kernels.coding import TROUBLE, weights
from tests.kernels.random_inputs import SEEDS

COLS = st.one_of(st.integers(1, 40), st.sampled_from([511, 512, 513, 1030, 1 << 16, (1 << 16) + 5]))


def check(w: Array, decoded: Array, entry: jit.KernelFunction) -> None:
    with np.errstate(all="ignore"):
        sums = results(_run(entry, w.shape, [], x=w, out=decoded))
        assert ErrorSums(**sums) == ErrorSums.of(w, decoded)


@examples(100)
@given(st.sampled_from(TROUBLE), SEEDS, st.integers(1, 30), COLS)
def test_sums_are_those_of_metrics(style: object, seed: int, rows: int, cols: int) -> None:
    w = weights(style, seed, (rows, cols))  # type: ignore[arg-type]
    error = np.random.default_rng(seed).standard_normal(w.shape, np.float32) / 100
    with np.errstate(over="ignore"):
        check(w, np.clip(w + w * error, -3e38, 3e38).astype(np.float32), jit.compiled(error_sums))


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (2, 520)])
def test_as_plain_python(shape: tuple[int, int]) -> None:
    w = weights(TROUBLE[0], 1, shape)
    check(w, w * np.float32(1.01), error_sums)


def test_no_error() -> None:
    """The sum is not even a negative zero."""
    w = weights(TROUBLE[0], 1, (4, 100))
    check(w, w.copy(), jit.compiled(error_sums))
